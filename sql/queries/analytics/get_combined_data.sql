-- Train split and buffer together. Pairs of the test split may be among the buffer's rows: training reads the view
-- ops.training_ratings, which leaves them out.
SELECT userId, movieId, rating, timestamp
FROM ratings
WHERE data_split = 'train'
UNION ALL
SELECT userId, movieId, rating, timestamp
FROM ratings_buffer
ORDER BY timestamp
