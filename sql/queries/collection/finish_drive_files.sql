-- The outcome of files, in the transaction that wrote their rows. A file that gave no rows keeps its former ones.
UPDATE ops.drive_files file
SET state = outcome.state,
    last_error = outcome.error,
    attempts = file.attempts + 1,
    loaded_md5 = CASE WHEN outcome.rows IS NULL THEN file.loaded_md5 ELSE file.md5 END,
    loaded_rows = COALESCE(outcome.rows::uuid[], file.loaded_rows),
    updated_at = clock_timestamp()
FROM unnest(%(ids)s::text[], %(states)s::text[], %(errors)s::text[], %(rows)s::text[])
    AS outcome(file_id, state, error, rows)
WHERE file.file_id = outcome.file_id
