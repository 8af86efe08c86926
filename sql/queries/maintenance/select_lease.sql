-- Who has a lease that has not run out. None is longer than ten minutes: what ends later is from before the clock was
-- set back, and its holder, if it lives, extends it within seconds.
SELECT holder, run_id, since FROM ops.leases
WHERE name = %(name)s AND expires_at > clock_timestamp() AND expires_at <= clock_timestamp() + interval '10 minutes'
