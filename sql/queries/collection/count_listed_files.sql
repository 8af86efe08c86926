-- What a listing changes, counted before it is written: new files, changed contents, failed files that get another attempt,
-- and files of the ledger that the listing does not show.
WITH listed AS (
    SELECT * FROM unnest(%(ids)s::text[], %(md5s)s::text[]) AS file(file_id, md5)
)
SELECT count(*) FILTER (WHERE known.file_id IS NULL) AS new,
       count(*) FILTER (WHERE known.md5 <> listed.md5) AS changed,
       count(*) FILTER (WHERE known.md5 = listed.md5 AND known.state = 'failed' AND known.attempts < %(attempts)s) AS again,
       (SELECT count(*) FROM ops.drive_files) - count(known.file_id) AS missing
FROM listed
LEFT JOIN ops.drive_files known USING (file_id)
