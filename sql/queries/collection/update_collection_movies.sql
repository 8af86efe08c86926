-- Movies whose file changed; a trigger sets updated_at.
UPDATE netflix.movies movie
SET title = changed.title, genre = changed.genre, rating = changed.rating, year = changed.year
FROM unnest(%(ids)s::uuid[], %(titles)s::text[], %(genres)s::text[], %(ratings)s::numeric[], %(years)s::int[])
    AS changed(id, title, genre, rating, year)
WHERE movie.id = changed.id
