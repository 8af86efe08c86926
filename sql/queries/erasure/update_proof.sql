-- Record the new champion and the two hashes.
UPDATE ops.erasures
SET champion = %(champion)s, artifact_sha256 = %(artifact)s, rebuilt_sha256 = %(rebuilt)s
WHERE id = %(id)s
