-- Released rows stay in the quarantine's memory. Those that somebody else released, or whose content is no longer the one
-- in the table, are left alone, and the caller counts.
UPDATE ops.rejected_rows row
SET released_at = LOCALTIMESTAMP
FROM ops.files content
WHERE row.id = ANY(%(ids)s) AND row.released_at IS NULL
  AND content.path = row.path AND content.md5 = row.md5 AND content.state = 'loaded'
