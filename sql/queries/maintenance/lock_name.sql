-- Wait for whoever works under this name; given back when the transaction ends, so a pooler may stand in between.
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))
