-- The published lists with the titles of their movies, in the order of the export.
SELECT r.userId, r.rank, r.movieId, r.score, r.model_version, m.title
FROM recommendations r
LEFT JOIN movies m USING (movieId)
ORDER BY r.userId, r.rank
