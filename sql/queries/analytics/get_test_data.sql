-- The test split in the order of time.
SELECT userId, movieId, rating, timestamp
FROM ratings
WHERE data_split = 'test'
ORDER BY timestamp
