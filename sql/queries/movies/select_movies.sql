-- The catalogue, in the order of its ids.
SELECT movieId, title, genres, pca_features::text AS pca_features FROM movies ORDER BY movieId
