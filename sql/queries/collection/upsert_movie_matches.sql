-- Each title's movie, or the movies that match equally well; unchanged rows are not written.
INSERT INTO netflix.movie_matches (id, movieId, method, score, candidates)
SELECT id, movieId, method, score, candidates::int[]
FROM unnest(%(ids)s::uuid[], %(movies)s::int[], %(methods)s::text[], %(scores)s::float[], %(candidates)s::text[])
    AS match(id, movieId, method, score, candidates)
WHERE EXISTS (SELECT FROM netflix.movies movie WHERE movie.id = match.id)
ON CONFLICT (id) DO UPDATE
SET movieId = EXCLUDED.movieId, method = EXCLUDED.method, score = EXCLUDED.score, candidates = EXCLUDED.candidates,
    matched_at = CURRENT_TIMESTAMP
WHERE (netflix.movie_matches.movieId, netflix.movie_matches.method, netflix.movie_matches.score,
       netflix.movie_matches.candidates)
    IS DISTINCT FROM (EXCLUDED.movieId, EXCLUDED.method, EXCLUDED.score, EXCLUDED.candidates)
