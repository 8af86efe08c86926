-- A channel that is seen for the first time is sent what happened since a day before.
INSERT INTO ops.notification_channels (channel, label, since)
VALUES (%(channel)s, %(label)s, clock_timestamp() - interval '1 day')
ON CONFLICT (channel) DO UPDATE SET label = EXCLUDED.label WHERE notification_channels.label <> EXCLUDED.label
