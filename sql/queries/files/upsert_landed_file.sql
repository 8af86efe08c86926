-- The same content landed again gets a new time and keeps its state.
INSERT INTO ops.files (path, md5, size, store_key)
VALUES (%(path)s, %(md5)s, %(size)s, %(store_key)s)
ON CONFLICT (path, md5) DO UPDATE SET landed_at = clock_timestamp(), store_key = EXCLUDED.store_key
