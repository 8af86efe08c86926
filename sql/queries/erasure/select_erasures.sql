-- Erasures, newest first: one, those that are not finished, or all.
SELECT id, requested_at, requested_by, reason, people, steps, champion, artifact_sha256, rebuilt_sha256, finished_at
FROM ops.erasures
WHERE (%(id)s::bigint IS NULL OR id = %(id)s) AND (NOT %(unfinished)s OR finished_at IS NULL)
ORDER BY id DESC
