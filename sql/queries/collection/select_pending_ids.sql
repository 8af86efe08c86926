-- Files whose content is not loaded yet and has to be fetched.
SELECT file_id FROM ops.drive_files WHERE state = 'pending'
