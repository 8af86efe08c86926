-- The newest version that was fitted on these contents and rejected.
SELECT version, evidence ->> 'reason' AS reason
FROM ops.model_versions
WHERE state = 'rejected' AND trained_on = %(trained_on)s AND artifact_format = %(artifact_format)s
ORDER BY ordinal DESC
LIMIT 1
