-- The content that the batch's alerts and decision are about, if the batch still has it.
UPDATE ops.batches SET assessed_md5 = md5 WHERE batch_id = %(batch_id)s AND md5 = %(md5)s
