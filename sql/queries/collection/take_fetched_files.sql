-- Work for one worker, as in take_pending_files, of files whose content lies in the store.
SELECT file_id, path, md5, size, attempts, loaded_md5, loaded_rows, store_key
FROM ops.drive_files
WHERE state = 'pending' AND store_key IS NOT NULL
ORDER BY file_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
