-- For each channel in use: what it was not sent yet, with the time of the oldest, and since when and why it takes nothing.
SELECT known.channel, known.label, backlog.waiting, backlog.waiting_since,
       message.created_at AS failing_since, message.attempts, message.fault
FROM ops.notification_channels known
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(notification.recorded_at) AS waiting_since
    FROM ops.notifications notification
    WHERE notification.recorded_at >= known.since
      AND (known.kinds IS NULL OR notification.kind = ANY(known.kinds))
      AND NOT EXISTS (SELECT FROM ops.notification_deliveries delivery
                      JOIN ops.notification_messages carrier ON carrier.id = delivery.message_id
                      WHERE delivery.notification_id = notification.id AND delivery.channel = known.channel
                        AND carrier.sent_at IS NOT NULL)
) AS backlog
LEFT JOIN ops.notification_messages message
       ON message.channel = known.channel AND message.sent_at IS NULL AND message.fault IS NOT NULL
WHERE known.channel = ANY(%(channels)s)
ORDER BY known.label
