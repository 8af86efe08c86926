-- The six newest drift results, as many as one batch used to give.
SELECT * FROM drift_alerts ORDER BY alert_date DESC LIMIT 6
