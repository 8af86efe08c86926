-- One user's list.
SELECT r.rank, r.movieid, m.title, m.genres, r.score, r.model_version
FROM recommendations r
LEFT JOIN movies m USING (movieid)
WHERE r.userid = %(user)s
ORDER BY r.rank
