-- The batches that a version was trained on and that still have that content and wait in the buffer.
SELECT trained.batch_id
FROM ops.model_batches trained
JOIN ops.batches held ON held.batch_id = trained.batch_id AND held.md5 = trained.md5 AND held.place = 'buffer'
WHERE trained.version = %(version)s
ORDER BY trained.batch_id
