-- For each pair, in the order given: whether the ratings file (batch NULL) or the batch has a rating of it already.
-- Index: idx_buffer_batch.
SELECT EXISTS (SELECT FROM ratings r
               WHERE r.userId = pair.userId AND r.movieId = pair.movieId
                 AND r.batch_id IS NOT DISTINCT FROM %(batch_id)s::varchar)
    OR EXISTS (SELECT FROM ratings_buffer b
               WHERE b.userId = pair.userId AND b.movieId = pair.movieId AND b.batch_id = %(batch_id)s::varchar)
FROM unnest(%(users)s::int[], %(movies)s::int[]) WITH ORDINALITY AS pair(userId, movieId, position)
ORDER BY position
