-- Which content of a batch is in the tables, and in which.
SELECT batch_id, md5, rows, place FROM ops.batches WHERE batch_id = %(batch_id)s
