-- Old alerts move in one statement: killed or run twice, each is in one of the two tables.
WITH moved AS (
    DELETE FROM drift_alerts WHERE alert_date < NOW() - make_interval(days => %(days)s)
    RETURNING id, alert_date, feature_name, drift_score, threshold, alert_triggered, notes, batch_id, baseline_rows, batch_rows
)
INSERT INTO drift_alerts_archive (id, alert_date, feature_name, drift_score, threshold, alert_triggered, notes, batch_id,
                                  baseline_rows, batch_rows)
SELECT id, alert_date, feature_name, drift_score, threshold, alert_triggered, notes, batch_id, baseline_rows, batch_rows
FROM moved
