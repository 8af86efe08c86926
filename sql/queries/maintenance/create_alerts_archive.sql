-- As the schema reference makes it, but empty, so that the move below fills it however often it runs.
CREATE TABLE IF NOT EXISTS drift_alerts_archive AS SELECT * FROM drift_alerts WITH NO DATA
