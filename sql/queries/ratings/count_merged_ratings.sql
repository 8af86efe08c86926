-- How many rows stay when the ratings file is replaced, and whether this role may drop the table's indexes meanwhile.
-- Index: idx_ratings_batch.
SELECT count(*), (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ratings'::regclass)
FROM ratings
WHERE batch_id IS NOT NULL
