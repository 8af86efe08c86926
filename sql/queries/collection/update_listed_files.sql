-- Known files that a listing shows with another content or another name; a failed one gets its next attempt. Where new
-- content lies is not known before it is fetched. Rows that say the same already are not written, so a listing of an
-- unchanged folder writes nothing. A file that a listing does not show stays as it is.
WITH listed AS (
    SELECT * FROM unnest(%(ids)s::text[], %(paths)s::text[], %(md5s)s::text[], %(sizes)s::bigint[])
        AS file(file_id, path, md5, size)
)
UPDATE ops.drive_files known
SET path = listed.path,
    md5 = listed.md5,
    size = listed.size,
    state = CASE WHEN known.md5 <> listed.md5 OR known.state = 'failed' THEN 'pending' ELSE known.state END,
    attempts = CASE WHEN known.md5 <> listed.md5 THEN 0 ELSE known.attempts END,
    last_error = CASE WHEN known.md5 <> listed.md5 THEN NULL ELSE known.last_error END,
    store_key = CASE WHEN known.md5 <> listed.md5 THEN NULL ELSE known.store_key END,
    seen_at = clock_timestamp(),
    updated_at = clock_timestamp()
FROM listed
WHERE known.file_id = listed.file_id
  AND (known.md5 <> listed.md5 OR known.path <> listed.path OR known.size <> listed.size
       OR (known.state = 'failed' AND known.attempts < %(attempts)s))
