-- Every movie a rating may speak of.
SELECT movieid FROM movies ORDER BY movieid
