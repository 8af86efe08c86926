-- The newest basis. There is one, unless a person had it fitted again.
SELECT version, basis, explained_variance FROM ops.genre_bases ORDER BY created_at DESC LIMIT 1
