-- The catalogue, in the order of its ids, and the load of movies that it is from.
SELECT movieId, title, genres, pca_features::text AS pca_features,
       (SELECT max(id) FROM ops.table_loads WHERE for_table = 'movies') AS load
FROM movies
ORDER BY movieId
