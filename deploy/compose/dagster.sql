-- Dagster's own storage, never the warehouse's database. The image of Postgres runs this once, on an empty volume.
CREATE ROLE dagster LOGIN;
CREATE DATABASE dagster OWNER dagster;
