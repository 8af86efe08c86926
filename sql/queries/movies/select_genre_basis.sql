-- The basis in force: the last that was fitted; and whether a model was trained on its features.
SELECT basis, EXISTS (SELECT FROM ops.model_versions trained WHERE trained.genre_basis = newest.version)
FROM ops.genre_bases newest
ORDER BY ordinal DESC
LIMIT 1
