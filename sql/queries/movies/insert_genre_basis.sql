-- Fitted once; a second process keeps the first one's.
INSERT INTO ops.genre_bases (version, basis, explained_variance)
VALUES (%(version)s, %(basis)s, %(explained_variance)s)
ON CONFLICT (version) DO NOTHING
