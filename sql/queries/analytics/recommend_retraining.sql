-- Whether anything went over its threshold within a day. The platform's own decisions, one a batch with its reason, are
-- in ops.retraining_decisions.
SELECT
    CASE
        WHEN COUNT(*) > 0 THEN '🚨 RETRAINING NEEDED'
        ELSE '✅ NO ACTION REQUIRED'
    END AS recommendation
FROM drift_alerts
WHERE alert_triggered = TRUE
  AND alert_date > NOW() - INTERVAL '1 day'
