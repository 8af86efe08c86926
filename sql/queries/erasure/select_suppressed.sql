-- Who is kept out, and under which key.
SELECT hash, key_fingerprint FROM ops.suppressed_users
