-- Released rows stay in the quarantine's memory.
UPDATE ops.rejected_rows SET released_at = LOCALTIMESTAMP WHERE id = ANY(%(ids)s)
