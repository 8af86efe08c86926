-- Files that a person should look at, and whether rows of an earlier content still stand for them.
SELECT path, state, attempts, last_error, loaded_md5 IS NOT NULL AS has_rows
FROM ops.drive_files
WHERE last_error IS NOT NULL
ORDER BY path
LIMIT %(limit)s
