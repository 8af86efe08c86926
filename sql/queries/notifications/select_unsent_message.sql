-- The message of a channel that is not sent, and whether it may be tried now (idx_notification_messages_unsent).
SELECT id, attempts, COALESCE(claimed_until, retry_at, '-infinity') <= clock_timestamp() AS is_due
FROM ops.notification_messages
WHERE channel = %(channel)s AND sent_at IS NULL
