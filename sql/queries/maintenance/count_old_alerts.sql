-- Alerts that the archive would take.
SELECT count(*) FROM drift_alerts WHERE alert_date < NOW() - make_interval(days => %(days)s)
