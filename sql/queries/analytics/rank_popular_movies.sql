-- The ten movies with the most train ratings. The cast is ours: Postgres has no round(double precision, integer).
SELECT
    m.title,
    m.genres,
    COUNT(*) AS num_ratings,
    ROUND(AVG(r.rating)::numeric, 2) AS avg_rating
FROM ratings r
JOIN movies m ON r.movieId = m.movieId
WHERE r.data_split = 'train'
GROUP BY m.movieId, m.title, m.genres
ORDER BY num_ratings DESC
LIMIT 10
