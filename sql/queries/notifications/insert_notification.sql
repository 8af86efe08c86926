-- One fact for people, once for what it is about while that lasts (idx_notifications_about).
INSERT INTO ops.notifications (kind, subject, body, next_step, about)
VALUES (%(kind)s, %(subject)s, %(body)s, %(next_step)s, %(about)s)
ON CONFLICT (about) WHERE about IS NOT NULL DO NOTHING
