-- The batches that a version was trained on and that still have that content and wait in the buffer.
SELECT trained.batch_id
FROM ops.model_batches trained
JOIN ops.batches stored ON stored.batch_id = trained.batch_id AND stored.md5 = trained.md5 AND stored.place = 'buffer'
WHERE trained.version = %(version)s
ORDER BY trained.batch_id
