-- A condition as it is now; since when it holds does not change.
INSERT INTO ops.conditions (name, kind, reason, next_step, since)
VALUES (%(name)s, %(kind)s, %(reason)s, %(next_step)s, COALESCE(%(since)s::timestamptz, clock_timestamp()))
ON CONFLICT (name) DO UPDATE SET kind = EXCLUDED.kind, reason = EXCLUDED.reason, next_step = EXCLUDED.next_step
