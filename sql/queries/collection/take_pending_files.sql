-- Work for one worker: these rows are its own until its transaction ends, and others pass them by. A worker that is
-- killed gives them back in that moment.
SELECT file_id, path, md5, size, attempts, loaded_md5, loaded_rows
FROM ops.drive_files
WHERE state = 'pending'
ORDER BY file_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
