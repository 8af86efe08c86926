-- Who became champion when, and why, newest first.
SELECT version, former, changed_at AT TIME ZONE current_setting('TimeZone') AS changed_at, reason
FROM ops.champion_changes
ORDER BY id DESC
