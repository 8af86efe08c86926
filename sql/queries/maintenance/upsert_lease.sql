-- Take a lease that is free or has run out, or extend one's own. As in select_lease, one that ends in more than ten
-- minutes is from before the clock was set back.
INSERT INTO ops.leases AS held (name, holder, run_id, expires_at)
VALUES (%(name)s, %(holder)s, %(run_id)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO UPDATE
SET holder = EXCLUDED.holder, run_id = EXCLUDED.run_id, expires_at = EXCLUDED.expires_at,
    since = CASE WHEN held.run_id = EXCLUDED.run_id THEN held.since ELSE EXCLUDED.since END
WHERE held.run_id = EXCLUDED.run_id OR held.expires_at <= clock_timestamp()
   OR held.expires_at > clock_timestamp() + interval '10 minutes'
