-- By hand, the whole buffer at once: every waiting batch is deleted, and known to be. A promotion does it batch by batch.
WITH moved AS (
    UPDATE ops.batches SET place = 'deleted', merged_at = CURRENT_TIMESTAMP WHERE place = 'buffer'
)
DELETE FROM ratings_buffer
