-- The train split in the order of time. What the platform trains on is the view ops.training_ratings.
SELECT userId, movieId, rating, timestamp
FROM ratings
WHERE data_split = 'train'
ORDER BY timestamp
