-- The newest decision on a batch.
SELECT due, reason, state, outcome, evidence ->> 'unscored' AS unscored
FROM ops.retraining_decisions
WHERE batch_id = %(batch_id)s
ORDER BY decided_at DESC
LIMIT 1
