-- A batch's ratings, in the buffer or merged.
-- Index: idx_buffer_batch, idx_ratings_batch.
SELECT userId, movieId, rating, timestamp FROM ratings_buffer WHERE batch_id = %(batch_id)s
UNION ALL
SELECT userId, movieId, rating, timestamp FROM ratings WHERE batch_id = %(batch_id)s
