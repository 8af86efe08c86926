-- The message of a channel that is not sent, and whether it may be tried now (idx_notification_messages_unsent). No claim
-- or gap is longer than a quarter of an hour: what ends later is from before the clock was set back.
SELECT id, attempts, COALESCE(claimed_until, retry_at, '-infinity')
    NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '16 minutes' AS is_due
FROM ops.notification_messages
WHERE channel = %(channel)s AND sent_at IS NULL
