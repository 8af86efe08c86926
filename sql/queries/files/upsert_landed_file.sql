-- The same content landed again is the newest again and keeps its state.
INSERT INTO ops.files (path, md5, size, store_key, for_table, stored_md5, stored_size, cleaned_for)
VALUES (%(path)s, %(md5)s, %(size)s, %(store_key)s, %(for_table)s, %(stored_md5)s, %(stored_size)s, %(known)s)
ON CONFLICT (path, md5) DO UPDATE
SET landing = nextval('ops.landing_order'), landed_at = clock_timestamp(), store_key = EXCLUDED.store_key,
    stored_md5 = EXCLUDED.stored_md5, stored_size = EXCLUDED.stored_size, cleaned_for = EXCLUDED.cleaned_for
