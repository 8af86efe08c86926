-- Rows in the quarantine by reason, of one content or of a whole table; released ones are left out.
SELECT reason, count(*) AS rows
FROM ops.rejected_rows, unnest(reasons) AS reason
WHERE released_at IS NULL AND table_name = %(table)s
  AND (%(path)s::text IS NULL OR (path = %(path)s AND md5 = %(md5)s))
GROUP BY reason
ORDER BY rows DESC, reason
