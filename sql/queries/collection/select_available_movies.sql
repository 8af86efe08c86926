-- Movies of the catalogue that the collection has.
SELECT DISTINCT movieid FROM netflix.movie_matches WHERE movieid IS NOT NULL ORDER BY movieid
