-- One row per batch: its load, where its rows are, its drift, the decision and the outcome.
SELECT m.batch_id, m.status, m.record_count,
       CASE WHEN EXISTS (SELECT FROM ops.files f WHERE f.for_table = 'batches/' || m.batch_id AND f.md5 = stored.md5
                         AND f.state = 'removed') THEN 'removed' ELSE stored.place END AS place,
       alerts.triggered, decision.due, decision.reason, decision.state, decision.outcome, m.notes
FROM ingestion_metadata m
LEFT JOIN ops.batches stored USING (batch_id)
LEFT JOIN (SELECT batch_id, string_agg(feature_name, ', ' ORDER BY id) FILTER (WHERE alert_triggered) AS triggered
           FROM drift_alerts GROUP BY batch_id) AS alerts USING (batch_id)
LEFT JOIN ops.retraining_decisions decision ON decision.batch_id = m.batch_id AND decision.md5 = stored.md5
ORDER BY m.id
