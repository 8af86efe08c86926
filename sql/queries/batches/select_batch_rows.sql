-- A batch's ratings, in the buffer or merged.
SELECT userId, movieId, rating, timestamp FROM ratings_buffer WHERE batch_id = %(batch_id)s
UNION ALL
SELECT userId, movieId, rating, timestamp FROM ratings WHERE batch_id = %(batch_id)s
