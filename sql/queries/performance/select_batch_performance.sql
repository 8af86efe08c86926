-- How champions did on batches, in the order in which these were first measured.
SELECT batch_id, md5, measured_at, rows, champion, champion_rmse, champion_mae, predecessor, predecessor_rmse,
       predecessor_mae, difference, low, high, list_version, listed_rows, listed_liked, unlisted_rows, unlisted_liked
FROM ops.batch_performance
ORDER BY ordinal
