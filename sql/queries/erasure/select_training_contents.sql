-- The contents that the rows of ratings came from: the file, and merged batches that were assessed.
SELECT f.path, f.md5, f.store_key, b.batch_id
FROM ops.files f
LEFT JOIN ops.batches b ON f.for_table = 'batches/' || b.batch_id AND b.md5 = f.md5
WHERE f.state = 'loaded'
  AND (f.for_table = 'ratings' OR b.place = 'merged' AND b.assessed_md5 = b.md5)
ORDER BY f.landing
