-- The channel took it.
UPDATE ops.notification_messages
SET sent_at = clock_timestamp(), claimed_until = NULL, retry_at = NULL, fault = NULL
WHERE id = %(id)s
