-- The newest decisions on batches and what became of them.
SELECT batch_id, decided_at AT TIME ZONE current_setting('TimeZone') AS decided_at, due, reason, state, outcome
FROM ops.retraining_decisions
ORDER BY id DESC
LIMIT %(limit)s
