-- The test split.
SELECT userid, movieid, rating::real AS rating, timestamp FROM ratings WHERE data_split = 'test'
