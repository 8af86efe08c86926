-- Keep people out from now on; those who are on the list already stay under their first erasure.
INSERT INTO ops.suppressed_users (hash, erasure, key_fingerprint)
SELECT hash, %(erasure)s, %(fingerprint)s FROM unnest(%(hashes)s::text[]) AS hash
ON CONFLICT (hash) DO NOTHING
