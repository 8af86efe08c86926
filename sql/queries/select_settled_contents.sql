-- Contents that need no run: in the tables, or refused for good.
SELECT path, md5 FROM ops.files WHERE state IN ('loaded', 'refused')
