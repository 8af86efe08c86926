-- The head of a user's list, each movie with those of the user's own that contributed most to it.
-- Index: recommendations_pkey.
SELECT r.rank, COALESCE(m.title, 'movie ' || r.movieId) AS title,
       ARRAY(SELECT COALESCE(own.title, 'movie ' || reason.movie)
             FROM unnest(r.because) WITH ORDINALITY AS reason(movie, place)
             LEFT JOIN movies own ON own.movieId = reason.movie
             ORDER BY reason.place) AS because
FROM recommendations r
LEFT JOIN movies m USING (movieId)
WHERE r.userId = %(user_id)s AND r.rank <= %(limit)s
ORDER BY r.rank
