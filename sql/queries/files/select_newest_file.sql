-- The content that was landed last under any of these paths.
SELECT path, md5, size, store_key, landed_at, state, rows_read, rows_accepted, rows_rejected, note
FROM ops.files
WHERE path = ANY(%(paths)s)
ORDER BY landed_at DESC
LIMIT 1
