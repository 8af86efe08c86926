-- One batch, out of the buffer.
DELETE FROM ratings_buffer WHERE batch_id = %(batch_id)s
