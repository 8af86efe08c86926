-- Files that a listing shows for the first time.
INSERT INTO ops.drive_files (file_id, path, md5, size)
SELECT * FROM unnest(%(ids)s::text[], %(paths)s::text[], %(md5s)s::text[], %(sizes)s::bigint[])
ON CONFLICT (file_id) DO NOTHING
