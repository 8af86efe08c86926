-- Who has a lock by name.
SELECT session.application_name, session.usename::text, session.pid
FROM pg_locks held
JOIN pg_stat_activity session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND session.datname = current_database()
  AND ((held.classid::bigint << 32) | held.objid::bigint) = hashtextextended(%(name)s, 0)
LIMIT 1
