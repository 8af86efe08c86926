-- Versions that await approval, oldest first; judged_at is in the session's zone, as everywhere in this table.
SELECT version, replaced AS over, COALESCE(evidence ->> 'reason', '') AS reason,
       judged_at::timestamptz AS since, expires_at, expires_at <= clock_timestamp() AS has_expired
FROM ops.model_versions
WHERE state = 'awaiting_approval'
ORDER BY ordinal
