-- A message with everything that the channel was not sent; no row when there is nothing.
WITH unsent AS (
    SELECT notification.id
    FROM ops.notifications notification
    JOIN ops.notification_channels known ON known.channel = %(channel)s AND notification.recorded_at >= known.since
         AND (known.kinds IS NULL OR notification.kind = ANY(known.kinds))
    WHERE NOT EXISTS (SELECT FROM ops.notification_deliveries delivery
                      WHERE delivery.notification_id = notification.id AND delivery.channel = %(channel)s)
), message AS (
    INSERT INTO ops.notification_messages (channel) SELECT %(channel)s WHERE EXISTS (SELECT FROM unsent) RETURNING id
), carried AS (
    INSERT INTO ops.notification_deliveries (notification_id, channel, message_id)
    SELECT unsent.id, %(channel)s, message.id FROM unsent, message
)
SELECT id FROM message
