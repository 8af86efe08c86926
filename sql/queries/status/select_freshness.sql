-- When the newest batch came first, which loading it again does not renew; since when the champion's lists are unpublished,
-- NULL when they are; bytes used; when lists were published last.
SELECT (SELECT max(first_at)
        FROM (SELECT min(landed_at) AS first_at FROM ops.files WHERE starts_with(for_table, 'batches/') GROUP BY for_table)
            AS arrived) AS newest_batch_at,
       (SELECT since AT TIME ZONE current_setting('TimeZone') FROM ops.champion
        WHERE recommended IS DISTINCT FROM version) AS lists_stale_since,
       pg_database_size(current_database()) AS used_bytes,
       (SELECT recommended_at FROM ops.champion) AS lists_published_at
