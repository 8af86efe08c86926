-- The ten most frequent genres; a movie counts for each of its own.
SELECT
    unnest(string_to_array(genres, '|')) AS genre,
    COUNT(*) AS movie_count
FROM movies
GROUP BY genre
ORDER BY movie_count DESC
LIMIT 10
