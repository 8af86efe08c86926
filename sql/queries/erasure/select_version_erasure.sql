-- When the artifact of a version was erased.
SELECT e.requested_at FROM ops.model_versions v JOIN ops.erasures e ON e.id = v.erased_by
WHERE v.version = %(version)s
