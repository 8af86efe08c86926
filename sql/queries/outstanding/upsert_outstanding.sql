-- A piece of work as it stands now; since when it is outstanding counts for one content.
INSERT INTO ops.outstanding_work AS known (kind, work, content, state, attempts, reason, next_step, retry_at)
VALUES (%(kind)s, %(work)s, %(content)s, %(state)s, %(attempts)s, %(reason)s, %(next_step)s, %(retry_at)s)
ON CONFLICT (kind, work) DO UPDATE
SET content = EXCLUDED.content, state = EXCLUDED.state, attempts = EXCLUDED.attempts, reason = EXCLUDED.reason,
    next_step = EXCLUDED.next_step, retry_at = EXCLUDED.retry_at,
    since = CASE WHEN known.content = EXCLUDED.content THEN known.since ELSE clock_timestamp() END
