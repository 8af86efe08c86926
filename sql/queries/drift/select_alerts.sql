-- Every statistic of every batch, as the demo shows it.
SELECT batch_id, feature_name, drift_score, threshold, alert_triggered, notes FROM drift_alerts ORDER BY id
