-- How many rows stay when the ratings file is replaced. Index: idx_ratings_batch.
SELECT count(*) FROM ratings WHERE batch_id IS NOT NULL
