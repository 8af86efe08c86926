-- Who has a lease that has not run out.
SELECT holder, run_id, since FROM ops.leases WHERE name = %(name)s AND expires_at > clock_timestamp()
