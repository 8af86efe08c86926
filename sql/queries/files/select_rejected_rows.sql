-- Rows in the quarantine, newest file first; each filter counts only where it is given. Files of the movie collection
-- have no row in ops.files: their next run reads them again by itself.
SELECT r.id, r.path, r.md5, r.table_name, r.batch_id, r.row_number, r.raw_row, r.reasons, f.columns,
       COALESCE(f.state, 'collection') AS file_state
FROM ops.rejected_rows r
LEFT JOIN ops.files f USING (path, md5)
WHERE r.released_at IS NULL
  AND (%(path)s::text IS NULL OR r.path = %(path)s)
  AND (%(ids)s::bigint[] IS NULL OR r.id = ANY(%(ids)s))
ORDER BY f.landing DESC NULLS LAST, r.rejected_at DESC, r.path, r.md5, r.row_number
LIMIT %(limit)s
