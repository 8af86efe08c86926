-- A batch's statistics, with the bound of each without drift and why a champion's errors are missing, as they were
-- assessed last.
-- Index: idx_drift_alerts_batch.
SELECT a.feature_name, a.drift_score, a.threshold, a.alert_triggered, a.notes, a.baseline_rows, a.batch_rows,
       (decision.evidence #>> ARRAY['null_spread', 'bounds', a.feature_name])::float8 AS null_bound
FROM drift_alerts a
LEFT JOIN LATERAL (SELECT evidence FROM ops.retraining_decisions d
                   WHERE d.batch_id = a.batch_id ORDER BY decided_at DESC LIMIT 1) AS decision ON TRUE
WHERE a.batch_id = %(batch_id)s
ORDER BY a.id
