-- The content of a table that a person removed last.
SELECT path, md5, size, store_key, landed_at, state, rows_read, rows_accepted, rows_rejected, note
FROM ops.files
WHERE for_table = %(table)s AND state = 'removed'
ORDER BY finished_at DESC, landing DESC
LIMIT 1
