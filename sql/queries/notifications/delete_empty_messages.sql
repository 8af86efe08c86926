-- Messages of which no notification is left (idx_notification_deliveries_message).
DELETE FROM ops.notification_messages message
WHERE NOT EXISTS (SELECT FROM ops.notification_deliveries delivery WHERE delivery.message_id = message.id)
