-- Which content of a batch the tables hold, and where.
SELECT batch_id, md5, rows, place FROM ops.batches WHERE batch_id = %(batch_id)s
