-- The content that was landed last for a table, whatever the clock said.
SELECT path, md5, size, store_key, landed_at, state, rows_read, rows_accepted, rows_rejected, note
FROM ops.files
WHERE for_table = %(table)s
ORDER BY landing DESC
LIMIT 1
