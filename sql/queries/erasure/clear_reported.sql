-- Every report was deleted: each is due again.
UPDATE ops.batches SET reported_md5 = NULL WHERE reported_md5 IS NOT NULL
