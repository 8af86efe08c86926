-- The content that the batch's report shows, if the batch still has it.
UPDATE ops.batches SET reported_md5 = md5 WHERE batch_id = %(batch_id)s AND md5 = %(md5)s
