-- The other rejected rows of a content keep pointing to their row in the stored file.
UPDATE ops.rejected_rows
SET row_number = row_number - (SELECT count(*) FROM unnest(%(removed)s::bigint[]) AS gone WHERE gone < row_number)
WHERE path = %(path)s AND md5 = %(md5)s
