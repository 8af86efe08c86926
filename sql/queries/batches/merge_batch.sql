-- A batch moves from the buffer into ratings, as train.
-- Index: idx_buffer_batch.
WITH moved AS (
    DELETE FROM ratings_buffer WHERE batch_id = %(batch_id)s
    RETURNING userId, movieId, rating, timestamp, batch_id
)
INSERT INTO ratings (userId, movieId, rating, timestamp, data_split, loaded_at, batch_id)
SELECT userId, movieId, rating, timestamp, 'train', NOW(), batch_id FROM moved
