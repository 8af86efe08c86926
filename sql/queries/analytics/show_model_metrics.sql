-- Every model that was measured, the newest first.
SELECT * FROM model_metrics ORDER BY training_date DESC
