-- The ids of the catalogue.
SELECT movieId FROM movies ORDER BY movieId
