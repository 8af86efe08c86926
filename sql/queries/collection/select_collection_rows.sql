-- The rows that have these movies already; an empty rating or year is a value like any other.
-- Index: movies_same_movie_once.
SELECT wanted.number::int, movie.id
FROM unnest(%(titles)s::text[], %(genres)s::text[], %(ratings)s::numeric[], %(years)s::int[])
    WITH ORDINALITY AS wanted(title, genre, rating, year, number)
JOIN netflix.movies movie
  ON movie.title = wanted.title AND movie.genre = wanted.genre
 AND movie.rating IS NOT DISTINCT FROM wanted.rating AND movie.year IS NOT DISTINCT FROM wanted.year
