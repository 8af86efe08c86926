-- The basis in force: the newest, and there is one unless somebody fitted anew on purpose.
SELECT version, basis, explained_variance FROM ops.genre_bases ORDER BY created_at DESC LIMIT 1
