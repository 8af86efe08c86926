-- A candidate; its name carries the run it came from and the next number.
INSERT INTO ops.model_versions (version, ordinal, run_id, state, method, config, seed, data_size,
                                artifact_key, artifact_sha256, artifact_size, artifact_format,
                                computed_by, trained_on)
SELECT 'run_' || left(%(run_id)s, 8) || '_v' || ordinal, ordinal, %(run_id)s, 'candidate', %(method)s, %(config)s,
       %(seed)s, %(data_size)s, %(artifact_key)s, %(artifact_sha256)s, %(artifact_size)s, %(artifact_format)s,
       %(computed_by)s, %(trained_on)s
FROM (SELECT COALESCE(max(ordinal), 0) + 1 AS ordinal FROM ops.model_versions) AS next
RETURNING version
