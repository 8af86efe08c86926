-- Batches whose rows are in the tables and not in ops.training_ratings, because this content was not assessed yet.
SELECT batch_id FROM ops.batches
WHERE place <> 'deleted' AND assessed_md5 IS DISTINCT FROM md5
ORDER BY batch_id
