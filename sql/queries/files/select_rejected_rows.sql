-- Rows in the quarantine, newest file first; each filter counts only where it is given. Without ids and md5 those of
-- contents that the file holds no longer are left out. Files of the movie collection have no row in ops.files: their
-- next run reads them again by itself.
SELECT r.id, r.path, r.md5, r.table_name, r.batch_id, r.row_number, r.raw_row, r.reasons, f.columns,
       COALESCE(f.state, 'collection') AS file_state
FROM ops.rejected_rows r
LEFT JOIN ops.files f USING (path, md5)
WHERE r.released_at IS NULL
  AND (%(path)s::text IS NULL OR r.path = %(path)s)
  AND (%(ids)s::bigint[] IS NULL OR r.id = ANY(%(ids)s))
  AND (%(md5)s::text IS NULL OR r.md5 = %(md5)s)
  AND (%(ids)s::bigint[] IS NOT NULL OR %(md5)s::text IS NOT NULL OR NOT EXISTS (
      SELECT FROM ops.files newer
      WHERE newer.path = r.path AND newer.landing > f.landing AND newer.state IN ('loaded', 'refused')
  ))
ORDER BY f.landing DESC NULLS LAST, r.rejected_at DESC, r.path, r.md5, r.row_number
LIMIT %(limit)s
