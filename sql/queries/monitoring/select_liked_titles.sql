-- The movies that a user rated highest, the newest first among equals.
-- Index: idx_ratings_user.
SELECT COALESCE(m.title, 'movie ' || r.movieId) AS title, r.rating
FROM ratings r
LEFT JOIN movies m USING (movieId)
WHERE r.userId = %(user_id)s
ORDER BY r.rating DESC, r.timestamp DESC, r.movieId
LIMIT %(limit)s
