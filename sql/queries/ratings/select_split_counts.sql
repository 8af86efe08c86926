-- Rows a split, merged batches left out: they are train by rule, not by hash.
SELECT data_split, count(*), avg(rating), stddev_samp(rating) FROM ratings WHERE batch_id IS NULL GROUP BY data_split
