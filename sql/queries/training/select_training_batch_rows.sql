-- Training rows that came in batches, merged or waiting. Materialized, because joined at once
-- Postgres expects a twentieth of the rows and looks each pair up in the test split: 1.4 s a batch of 43k at 1M ratings.
WITH learned AS MATERIALIZED (
    SELECT userId, movieId, rating, timestamp, batch_id FROM ops.training_ratings WHERE batch_id IS NOT NULL
)
SELECT t.userId, t.movieId, t.rating::real AS rating, t.timestamp, t.batch_id, b.md5, b.place = 'buffer' AS waiting
FROM learned t
JOIN ops.batches b USING (batch_id)
