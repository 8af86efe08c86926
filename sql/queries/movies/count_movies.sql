-- The movies of the catalogue, and those that have genre features.
SELECT count(*), count(pca_features) FROM movies
