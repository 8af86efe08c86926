-- Takes a lock by name if it is free; it is released when the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0))
