-- A line a batch: how it was loaded, where it is, what its drift was, what was decided and what came of it.
SELECT m.batch_id, m.status, m.record_count, held.place, alerts.triggered, decision.due, decision.reason,
       decision.state, decision.outcome, m.notes
FROM ingestion_metadata m
LEFT JOIN ops.batches held USING (batch_id)
LEFT JOIN (SELECT batch_id, string_agg(feature_name, ', ' ORDER BY id) FILTER (WHERE alert_triggered) AS triggered
           FROM drift_alerts GROUP BY batch_id) AS alerts USING (batch_id)
LEFT JOIN ops.retraining_decisions decision ON decision.batch_id = m.batch_id AND decision.md5 = held.md5
ORDER BY m.id
