-- What one user has rated, in any table and any split.
-- Index: idx_ratings_user.
SELECT movieId, rating, timestamp FROM ratings WHERE userId = %(user)s
UNION ALL
SELECT movieId, rating, timestamp FROM ratings_buffer WHERE userId = %(user)s
