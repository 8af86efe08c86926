-- The newest facts that people were told, newest first (primary key).
SELECT id, kind, subject, body, next_step, recorded_at FROM ops.notifications ORDER BY id DESC LIMIT %(limit)s
