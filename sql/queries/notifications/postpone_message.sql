-- The channel did not take it: why, and when it is tried again.
UPDATE ops.notification_messages
SET claimed_until = NULL, retry_at = clock_timestamp() + make_interval(secs => %(gap_s)s), fault = %(fault)s
WHERE id = %(id)s AND sent_at IS NULL
