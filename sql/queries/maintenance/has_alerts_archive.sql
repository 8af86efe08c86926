-- CREATE TABLE IF NOT EXISTS asks for the right to make tables even where the table is there.
SELECT to_regclass('drift_alerts_archive') IS NOT NULL
