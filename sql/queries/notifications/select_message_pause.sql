-- Whether the channel's last message was sent so recently that the next waits, to carry more (idx_notification_messages_sent).
SELECT EXISTS (SELECT FROM ops.notification_messages
               WHERE channel = %(channel)s AND sent_at > clock_timestamp() - make_interval(secs => %(pause_s)s))
