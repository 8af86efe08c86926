-- The newest content of each path, with its three numbers.
SELECT DISTINCT ON (path) path, state, rows_read, rows_accepted, rows_rejected, landed_at, note
FROM ops.files
ORDER BY path, landing DESC
