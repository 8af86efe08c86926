-- Features that were written, unless the last load of movies wrote the same ones.
INSERT INTO ops.table_loads (for_table, kind, known_movies, genre_basis)
SELECT 'movies', 'features', %(known_movies)s, %(genre_basis)s::varchar
WHERE NOT EXISTS (SELECT FROM ops.table_loads last
                  WHERE last.id = (SELECT max(id) FROM ops.table_loads WHERE for_table = 'movies')
                    AND last.kind = 'features' AND last.genre_basis = %(genre_basis)s::varchar)
