-- Days since the newest batch was completed, or since the first migration while there is none; bytes of the database.
SELECT EXTRACT(EPOCH FROM COALESCE(
           LOCALTIMESTAMP - (SELECT max(ingestion_date) FROM ingestion_metadata WHERE status = 'completed'),
           CURRENT_TIMESTAMP AT TIME ZONE 'utc' - (SELECT min(applied_at_utc) FROM _yoyo_migration))) / 86400,
       pg_database_size(current_database())
