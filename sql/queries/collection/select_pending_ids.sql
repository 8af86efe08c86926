-- Files whose content is not loaded yet and has to be fetched.
-- Index: idx_drive_files_state.
SELECT file_id FROM ops.drive_files WHERE state = 'pending'
