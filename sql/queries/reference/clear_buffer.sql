-- Of the schema reference, for a person; the platform never runs it. Deletes every waiting batch and records it as deleted.
WITH moved AS (
    UPDATE ops.batches SET place = 'deleted', merged_at = CURRENT_TIMESTAMP WHERE place = 'buffer'
)
DELETE FROM ratings_buffer
