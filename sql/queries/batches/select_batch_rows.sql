-- A batch's ratings, in the buffer or merged.
SELECT userid, movieid, rating, timestamp FROM ratings_buffer WHERE batch_id = %(batch_id)s
UNION ALL
SELECT userid, movieid, rating, timestamp FROM ratings WHERE batch_id = %(batch_id)s
