-- The test split.
SELECT userId, movieId, rating::real AS rating, timestamp FROM ratings WHERE data_split = 'test'
