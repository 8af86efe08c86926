-- Messages of which no notification is left (idx_notification_deliveries_message). One that an export was not given yet
-- stays: it asks for the whole registry, whatever it carried.
DELETE FROM ops.notification_messages message
WHERE NOT EXISTS (SELECT FROM ops.notification_deliveries delivery WHERE delivery.message_id = message.id)
  AND NOT (message.sent_at IS NULL
           AND EXISTS (SELECT FROM ops.notification_channels known
                       WHERE known.channel = message.channel AND known.kinds IS NOT NULL))
