-- A batch that is evaluated again has one set of alerts, the newest.
DELETE FROM drift_alerts WHERE batch_id = %(batch_id)s
