-- Rows in the quarantine, newest file first; each filter counts only where it is given.
SELECT r.id, r.path, r.md5, r.table_name, r.batch_id, r.row_number, r.raw_row, r.reasons, f.columns, f.state AS file_state
FROM ops.rejected_rows r
JOIN ops.files f USING (path, md5)
WHERE r.released_at IS NULL
  AND (%(path)s::text IS NULL OR r.path = %(path)s)
  AND (%(ids)s::bigint[] IS NULL OR r.id = ANY(%(ids)s))
ORDER BY f.landed_at DESC, r.path, r.md5, r.row_number
LIMIT %(limit)s
