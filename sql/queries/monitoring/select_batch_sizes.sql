-- The rows of the newest loaded batches.
SELECT rows FROM ops.batches ORDER BY loaded_at DESC, batch_id LIMIT %(limit)s
