-- The rows of the ratings file; those of merged batches are not.
SELECT userId, movieId, rating, timestamp FROM ratings WHERE batch_id IS NULL
