-- The newest score of each statistic of these batches, with its bound without drift, in the order of their arrival.
-- Index: idx_drift_alerts_batch.
SELECT DISTINCT ON (m.id, a.feature_name) a.batch_id, a.feature_name, a.drift_score, a.threshold, a.alert_triggered,
       (decision.evidence #>> ARRAY['null_spread', 'bounds', a.feature_name])::float8 AS null_bound,
       coalesce(a.notes, '') AS notes
FROM drift_alerts a
JOIN ingestion_metadata m ON m.batch_id = a.batch_id
LEFT JOIN LATERAL (SELECT evidence FROM ops.retraining_decisions d
                   WHERE d.batch_id = a.batch_id ORDER BY decided_at DESC LIMIT 1) AS decision ON TRUE
WHERE a.batch_id = ANY(%(batches)s)
ORDER BY m.id, a.feature_name, a.id DESC
