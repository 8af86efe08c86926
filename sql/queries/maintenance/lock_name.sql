-- Waits for a lock by name, and not for ever: any user can hold it. It is released when the transaction ends, so
-- it works through a pooler.
SELECT set_config('lock_timeout', %(timeout)s, true), pg_advisory_xact_lock(hashtextextended(%(name)s, 0))
