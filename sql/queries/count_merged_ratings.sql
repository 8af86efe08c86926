-- What stays when the ratings file is replaced.
SELECT count(*) FROM ratings WHERE batch_id IS NOT NULL
