-- A part of it was taken, and the rest is due at once.
UPDATE ops.notification_messages SET claimed_until = NULL, retry_at = NULL, fault = NULL, attempts = 0
WHERE id = %(id)s AND sent_at IS NULL
