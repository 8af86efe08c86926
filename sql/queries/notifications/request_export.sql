-- A message that carries nothing, unless one is not sent yet (idx_notification_messages_unsent): that one is due now,
-- unless a process sends it.
INSERT INTO ops.notification_messages AS waiting (channel) VALUES (%(channel)s)
ON CONFLICT (channel) WHERE sent_at IS NULL DO UPDATE SET retry_at = NULL
