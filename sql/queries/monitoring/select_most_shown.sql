-- The movies that are in the most lists.
SELECT COALESCE(m.title, 'movie ' || r.movieId) AS title, count(*) AS lists
FROM recommendations r
LEFT JOIN movies m USING (movieId)
GROUP BY r.movieId, m.title
ORDER BY lists DESC, r.movieId
LIMIT %(limit)s
