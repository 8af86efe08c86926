-- Training rows that came with the ratings file.
SELECT userId, movieId, rating::real AS rating, timestamp FROM ops.training_ratings WHERE batch_id IS NULL
