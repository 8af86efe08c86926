-- Of a batch's rows by users who have a published list of this version: how many are of listed movies and of others, and
-- how many of each have at least the liked rating. Index: idx_buffer_batch, idx_ratings_batch, the key of recommendations.
SELECT count(*) FILTER (WHERE listed), count(*) FILTER (WHERE listed AND rating >= %(liked)s),
       count(*) FILTER (WHERE NOT listed), count(*) FILTER (WHERE NOT listed AND rating >= %(liked)s)
FROM (
    SELECT batch.rating,
           EXISTS (SELECT FROM recommendations shown WHERE shown.userId = batch.userId
                   AND shown.movieId = batch.movieId AND shown.model_version = %(version)s) AS listed
    FROM (SELECT userId, movieId, rating FROM ratings_buffer WHERE batch_id = %(batch_id)s
          UNION ALL
          SELECT userId, movieId, rating FROM ratings WHERE batch_id = %(batch_id)s) AS batch
    WHERE EXISTS (SELECT FROM recommendations own
                  WHERE own.userId = batch.userId AND own.model_version = %(version)s)
) AS compared
