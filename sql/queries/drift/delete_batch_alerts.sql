-- A batch that is evaluated again has one set of alerts, the newest.
-- Index: idx_drift_alerts_batch.
DELETE FROM drift_alerts WHERE batch_id = %(batch_id)s
