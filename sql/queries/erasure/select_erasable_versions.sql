-- Versions whose artifact may still be in the store.
SELECT version, artifact_key, artifact_sha256, state FROM ops.model_versions WHERE erased_by IS NULL ORDER BY ordinal
