-- What a message carries, oldest first (idx_notification_deliveries_message).
SELECT notification.id, kind, subject, body, next_step, recorded_at
FROM ops.notification_deliveries delivery
JOIN ops.notifications notification ON notification.id = delivery.notification_id
WHERE delivery.message_id = %(id)s
ORDER BY notification.id
