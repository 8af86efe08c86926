-- One batch, out of the buffer.
-- Index: idx_buffer_batch.
DELETE FROM ratings_buffer WHERE batch_id = %(batch_id)s
