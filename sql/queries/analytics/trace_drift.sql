-- Each statistic day by day: its mean, and whether it ever went over its threshold.
SELECT
    DATE(alert_date) AS date,
    feature_name,
    AVG(drift_score) AS avg_drift_score,
    BOOL_OR(alert_triggered) AS any_alerts
FROM drift_alerts
GROUP BY DATE(alert_date), feature_name
ORDER BY date DESC, feature_name
