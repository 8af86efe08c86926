-- What went over its threshold within a day.
SELECT
    alert_date,
    feature_name,
    drift_score,
    threshold
FROM drift_alerts
WHERE alert_triggered = TRUE
  AND alert_date > NOW() - INTERVAL '1 day'
ORDER BY alert_date DESC
