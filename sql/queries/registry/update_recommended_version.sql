-- The recommendations of this version are the published ones from now on, however many rows they are.
UPDATE ops.champion SET recommended = %(version)s, recommended_at = clock_timestamp()
