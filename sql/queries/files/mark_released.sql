-- Mark rows as released; they stay in the table. Rows that were released meanwhile, or whose content is no longer the one
-- in the table, are not marked: the caller compares the counts.
UPDATE ops.rejected_rows row
SET released_at = LOCALTIMESTAMP
FROM ops.files content
WHERE row.id = ANY(%(ids)s) AND row.released_at IS NULL
  AND content.path = row.path AND content.md5 = row.md5 AND content.state = 'loaded'
