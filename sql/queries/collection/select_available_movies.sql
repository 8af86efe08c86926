-- Movies of the catalogue that the collection has.
SELECT DISTINCT movieId FROM netflix.movie_matches WHERE movieId IS NOT NULL ORDER BY movieId
