-- The ids of the catalogue.
SELECT movieid FROM movies ORDER BY movieid
