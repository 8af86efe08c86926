-- When the newest batch was loaded; since when the champion's lists are unpublished, NULL when they are; bytes used.
SELECT (SELECT max(loaded_at) AT TIME ZONE current_setting('TimeZone') FROM ops.batches) AS newest_batch_at,
       (SELECT since AT TIME ZONE current_setting('TimeZone') FROM ops.champion
        WHERE recommended IS DISTINCT FROM version) AS lists_stale_since,
       pg_database_size(current_database()) AS used_bytes
