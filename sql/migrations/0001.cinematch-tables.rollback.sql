-- Made by the first archiving, not by a migration.
DROP TABLE IF EXISTS drift_alerts_archive;
DROP TABLE drift_alerts;
DROP TABLE model_metrics;
DROP TABLE ingestion_metadata;
DROP TABLE ratings_buffer;
DROP TABLE movies;
DROP TABLE ratings;
