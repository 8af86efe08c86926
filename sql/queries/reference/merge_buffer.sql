-- Of the schema reference, for a person; the platform never runs it: a promotion merges batch by batch. Every waiting batch
-- moves into ratings as train and keeps its batch_id, so that it can still be replaced. In one statement, so that each row
-- is in exactly one of the tables.
WITH marked AS (
    UPDATE ops.batches SET place = 'merged', merged_at = CURRENT_TIMESTAMP WHERE place = 'buffer'
), moved AS (
    DELETE FROM ratings_buffer
    RETURNING userId, movieId, rating, timestamp, batch_id
)
INSERT INTO ratings (userId, movieId, rating, timestamp, data_split, loaded_at, batch_id)
SELECT userId, movieId, rating, timestamp, 'train', NOW(), batch_id
FROM moved
