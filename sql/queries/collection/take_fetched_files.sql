-- Files whose content is in the store, for one worker: the rows are locked until its transaction ends, and other workers
-- skip them. When a worker is killed, its rows are free again at once.
-- Index: idx_drive_files_state.
SELECT file_id, path, md5, size, attempts, loaded_md5, loaded_rows, store_key
FROM ops.drive_files
WHERE state = 'pending' AND store_key IS NOT NULL
ORDER BY file_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
