-- The quarantine by file and reason; released rows and those of contents that the file holds no longer are left out.
SELECT path, reason, count(*) AS rows, min(row_number) AS first_row
FROM ops.rejected_rows r, unnest(reasons) AS reason
WHERE released_at IS NULL
  AND NOT EXISTS (
      SELECT FROM ops.files f JOIN ops.files newer USING (path)
      WHERE (f.path, f.md5) = (r.path, r.md5) AND newer.landing > f.landing AND newer.state IN ('loaded', 'refused')
  )
GROUP BY path, reason
ORDER BY path, rows DESC, reason
