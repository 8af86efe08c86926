-- Contents of the collection that need no run: loaded, refused for good, or given up.
SELECT file_id, md5
FROM ops.drive_files
WHERE state IN ('loaded', 'quarantined') OR (state = 'failed' AND attempts >= %(attempts)s)
