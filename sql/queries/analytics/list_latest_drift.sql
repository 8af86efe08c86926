-- The ten newest drift results.
SELECT
    alert_date,
    feature_name,
    drift_score,
    threshold,
    alert_triggered
FROM drift_alerts
ORDER BY alert_date DESC
LIMIT 10
