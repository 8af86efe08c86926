-- The first rows in the quarantine, of one content or of a whole table; released ones are left out.
SELECT path, row_number, raw_row, reasons, count(*) OVER () AS rows
FROM ops.rejected_rows
WHERE released_at IS NULL AND table_name = %(table)s
  AND (%(path)s::text IS NULL OR (path = %(path)s AND md5 = %(md5)s))
ORDER BY path, md5, row_number
LIMIT %(limit)s
