-- Every evaluated version, as the demo shows it.
SELECT model_version, rmse, mae, precision_at_10, data_size, notes FROM model_metrics ORDER BY id
