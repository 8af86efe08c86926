-- Whether Dagster has used this database.
SELECT to_regclass('event_logs') IS NOT NULL AND to_regclass('asset_check_executions') IS NOT NULL
