-- The model with the smallest error. Models of different times had different test rows: compare with care.
SELECT model_version, rmse, mae, precision_at_10
FROM model_metrics
ORDER BY rmse ASC
LIMIT 1
