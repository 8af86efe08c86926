-- Each model beside the one before it; a negative rmse_improvement is a smaller error.
SELECT
    model_version,
    training_date,
    rmse,
    mae,
    data_size,
    LAG(rmse) OVER (ORDER BY training_date) AS prev_rmse,
    rmse - LAG(rmse) OVER (ORDER BY training_date) AS rmse_improvement
FROM model_metrics
ORDER BY training_date DESC
