-- One statistic of one batch against its threshold.
INSERT INTO drift_alerts (feature_name, drift_score, threshold, alert_triggered, notes, batch_id, baseline_rows, batch_rows)
VALUES (%(feature_name)s, %(drift_score)s, %(threshold)s, %(alert_triggered)s, %(notes)s, %(batch_id)s,
        %(baseline_rows)s, %(batch_rows)s)
