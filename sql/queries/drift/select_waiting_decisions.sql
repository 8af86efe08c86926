-- Decisions to retrain without an outcome yet, oldest first.
SELECT id, batch_id, md5, reason, decided_at AT TIME ZONE current_setting('TimeZone') AS decided_at
FROM ops.retraining_decisions
WHERE state = 'waiting'
ORDER BY id
