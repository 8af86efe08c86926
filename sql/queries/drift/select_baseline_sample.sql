-- Whole users of the train split, chosen by a hash of their id, about as many rows as asked for.
WITH size AS (
    SELECT GREATEST(1, (SELECT sum(c) FROM unnest((SELECT counts FROM ops.drift_baseline)) AS c) / %(rows)s) AS every
)
SELECT userId, movieId, rating, timestamp
FROM ratings, size
WHERE data_split = 'train' AND mod(abs(hashint4(userId)::bigint), size.every::bigint) = 0
ORDER BY userId, movieId
