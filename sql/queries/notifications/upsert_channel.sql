-- A channel that is seen for the first time is sent what happened since a day before. Whether it is (no row: it is known as it
-- is): a row that was inserted has no xmax.
INSERT INTO ops.notification_channels (channel, label, since, kinds)
VALUES (%(channel)s, %(label)s, clock_timestamp() - interval '1 day', %(kinds)s)
ON CONFLICT (channel) DO UPDATE SET label = EXCLUDED.label WHERE notification_channels.label <> EXCLUDED.label
RETURNING xmax = 0 AS is_new
