-- End a lease of one run.
DELETE FROM ops.leases WHERE name = %(name)s AND run_id = %(run_id)s
