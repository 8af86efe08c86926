-- The quarantine by file and reason, what was released left out.
SELECT path, reason, count(*) AS rows, min(row_number) AS first_row
FROM ops.rejected_rows, unnest(reasons) AS reason
WHERE released_at IS NULL
GROUP BY path, reason
ORDER BY path, rows DESC, reason
