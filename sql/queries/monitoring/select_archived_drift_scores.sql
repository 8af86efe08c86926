-- As monitoring/select_drift_scores.sql, of the alerts that maintenance moved and of batches that it says nothing on.
SELECT DISTINCT ON (m.id, a.feature_name) a.batch_id, a.feature_name, a.drift_score, a.threshold, a.alert_triggered,
       (decision.evidence #>> ARRAY['null_spread', 'bounds', a.feature_name])::float8 AS null_bound,
       coalesce(a.notes, '') AS notes
FROM drift_alerts_archive a
JOIN ingestion_metadata m ON m.batch_id = a.batch_id
LEFT JOIN LATERAL (SELECT evidence FROM ops.retraining_decisions d
                   WHERE d.batch_id = a.batch_id ORDER BY decided_at DESC LIMIT 1) AS decision ON TRUE
WHERE a.batch_id = ANY(%(batches)s)
  AND NOT EXISTS (SELECT FROM drift_alerts newer WHERE newer.batch_id = a.batch_id)
ORDER BY m.id, a.feature_name, a.id DESC
