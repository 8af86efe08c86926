-- Ratings of movies that are not in the catalogue, in the table of ratings and in the buffer; of all rows, or of one batch.
SELECT (SELECT count(*) FROM ratings r
        WHERE (%(batch_id)s::text IS NULL OR r.batch_id = %(batch_id)s)
          AND NOT EXISTS (SELECT FROM movies m WHERE m.movieId = r.movieId)) AS ratings,
       (SELECT count(*) FROM ratings_buffer b
        WHERE (%(batch_id)s::text IS NULL OR b.batch_id = %(batch_id)s)
          AND NOT EXISTS (SELECT FROM movies m WHERE m.movieId = b.movieId)) AS buffer
