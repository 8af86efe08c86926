-- A basis that was fitted; one that had been in force before is so again. A second process keeps the first one's.
INSERT INTO ops.genre_bases (version, basis, explained_variance)
VALUES (%(version)s, %(basis)s, %(explained_variance)s)
ON CONFLICT (version) DO UPDATE SET ordinal = nextval('ops.genre_basis_order')
WHERE genre_bases.ordinal < (SELECT max(ordinal) FROM ops.genre_bases)
