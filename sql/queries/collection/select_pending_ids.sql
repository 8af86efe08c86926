-- Files whose content is not loaded yet: what a look at the folder should fetch.
SELECT file_id FROM ops.drive_files WHERE state = 'pending'
