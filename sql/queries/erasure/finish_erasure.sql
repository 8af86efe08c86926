-- The erasure is complete; its row is the certificate.
UPDATE ops.erasures SET finished_at = clock_timestamp() WHERE id = %(id)s AND finished_at IS NULL
