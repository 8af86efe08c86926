-- Every version, newest first.
SELECT version, ordinal, run_id, created_at, state, method, config, seed, data_size, artifact_key, artifact_sha256,
       artifact_size, artifact_format, computed_by, trained_from, metrics, evidence, judged_at AS decided_at,
       replaced AS previous_champion
FROM ops.model_versions
ORDER BY ordinal DESC
