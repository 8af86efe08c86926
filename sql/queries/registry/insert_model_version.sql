-- A candidate; its name carries the run it came from and the next number.
INSERT INTO ops.model_versions (version, ordinal, run_id, state, method, config, seed, data_size,
                                artifact_key, artifact_sha256, artifact_size, artifact_format,
                                computed_by, trained_on, trained_from, genre_basis)
SELECT 'run_' || left(%(run_id)s, 8) || '_v' || ordinal, ordinal, %(run_id)s, 'candidate', %(method)s, %(config)s,
       %(seed)s, %(data_size)s, %(artifact_key)s, %(artifact_sha256)s, %(artifact_size)s, %(artifact_format)s,
       %(computed_by)s, %(trained_on)s, %(trained_from)s,
       (SELECT version FROM ops.genre_bases ORDER BY ops.genre_bases.ordinal DESC LIMIT 1)
FROM (SELECT COALESCE(max(ordinal), 0) + 1 AS ordinal FROM ops.model_versions) AS next
RETURNING version
