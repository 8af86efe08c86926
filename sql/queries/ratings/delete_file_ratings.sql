-- The rows of the ratings file; merged batches are not in it and stay.
DELETE FROM ratings WHERE batch_id IS NULL
