-- A lock by name; it is released when the transaction ends, so it works through a pooler.
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))
