-- The process that sends it says so first; until claimed_until no other does.
UPDATE ops.notification_messages
SET attempts = attempts + 1, claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s
