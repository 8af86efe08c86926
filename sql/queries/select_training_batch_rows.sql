-- Training rows that came in batches, merged or waiting, with where they live.
SELECT t.userid, t.movieid, t.rating::real AS rating, t.timestamp, t.batch_id, b.md5, b.place = 'buffer' AS waiting
FROM ops.training_ratings t
JOIN ops.batches b USING (batch_id)
