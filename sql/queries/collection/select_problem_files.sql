-- Files that need attention, and whether rows of an earlier content are still in the table.
SELECT path, state, attempts, last_error, loaded_md5 IS NOT NULL AS has_rows
FROM ops.drive_files
WHERE last_error IS NOT NULL
ORDER BY path
LIMIT %(limit)s
