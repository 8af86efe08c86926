-- One batch, out of the ratings it was merged into.
-- Index: idx_ratings_batch.
DELETE FROM ratings WHERE batch_id = %(batch_id)s
