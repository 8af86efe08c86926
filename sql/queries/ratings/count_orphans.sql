-- Ratings of movies that are not in the catalogue.
SELECT (SELECT count(*) FROM ratings r WHERE NOT EXISTS (SELECT FROM movies m WHERE m.movieId = r.movieId)) AS ratings,
       (SELECT count(*) FROM ratings_buffer b WHERE NOT EXISTS (SELECT FROM movies m WHERE m.movieId = b.movieId)) AS buffer
