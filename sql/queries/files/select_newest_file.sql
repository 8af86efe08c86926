-- The content that was landed last for a table: a path is the table's name and a suffix, which may be in capitals.
SELECT path, md5, size, store_key, landed_at, state, rows_read, rows_accepted, rows_rejected, note
FROM ops.files
WHERE starts_with(path, %(table)s) AND lower(substr(path, length(%(table)s) + 1)) = ANY(%(suffixes)s)
ORDER BY landed_at DESC
LIMIT 1
