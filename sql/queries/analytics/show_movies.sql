-- What a movie looks like.
SELECT movieId, title, genres FROM movies LIMIT 5
