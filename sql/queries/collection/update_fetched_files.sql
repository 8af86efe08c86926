-- Contents that are in the store now, or that could not be fetched. A file that a later listing changed, or that is loaded
-- already, is not updated.
UPDATE ops.drive_files file
SET state = CASE WHEN fetched.error IS NULL THEN file.state ELSE 'failed' END,
    store_key = COALESCE(fetched.store_key, file.store_key),
    attempts = file.attempts + CASE WHEN fetched.error IS NULL THEN 0 ELSE 1 END,
    last_error = fetched.error,
    updated_at = clock_timestamp()
FROM unnest(%(ids)s::text[], %(md5s)s::text[], %(store_keys)s::text[], %(errors)s::text[])
    AS fetched(file_id, md5, store_key, error)
WHERE file.file_id = fetched.file_id AND file.md5 = fetched.md5 AND file.state = 'pending'
  AND (fetched.error IS NOT NULL OR file.store_key IS DISTINCT FROM fetched.store_key)
