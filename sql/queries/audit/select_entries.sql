-- The newest entries first, of one action or of all.
SELECT id, at, action, subject, actor, run_id, launched_by, database_user, reason, details
FROM ops.audit
WHERE %(action)s::text IS NULL OR action = %(action)s
ORDER BY id DESC
LIMIT %(limit)s
