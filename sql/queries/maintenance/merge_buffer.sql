-- By hand, the whole buffer at once: every waiting batch moves into ratings as train and keeps its batch_id, so that it can
-- still be replaced. A promotion does it batch by batch. One statement, so that a row is in exactly one of the tables.
WITH marked AS (
    UPDATE ops.batches SET place = 'merged', merged_at = CURRENT_TIMESTAMP WHERE place = 'buffer'
), moved AS (
    DELETE FROM ratings_buffer
    RETURNING userId, movieId, rating, timestamp, batch_id
)
INSERT INTO ratings (userId, movieId, rating, timestamp, data_split, loaded_at, batch_id)
SELECT userId, movieId, rating, timestamp, 'train', NOW(), batch_id
FROM moved
