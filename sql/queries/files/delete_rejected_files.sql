-- Contents that are read again are validated again.
-- Index: idx_rejected_rows_file.
DELETE FROM ops.rejected_rows
USING unnest(%(paths)s::text[], %(md5s)s::text[]) AS content(path, md5)
WHERE rejected_rows.path = content.path AND rejected_rows.md5 = content.md5
