-- Movies that no row has.
INSERT INTO netflix.movies (id, title, genre, rating, year)
SELECT * FROM unnest(%(ids)s::uuid[], %(titles)s::text[], %(genres)s::text[], %(ratings)s::numeric[], %(years)s::int[])
