-- The ids of the catalogue, and the load of movies that they are from.
SELECT movieId, (SELECT max(id) FROM ops.table_loads WHERE for_table = 'movies') AS load FROM movies ORDER BY movieId
