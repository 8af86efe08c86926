-- Movies that the file no longer has stay. A movie whose genres changed loses its features until they are computed again.
WITH incoming AS (
    SELECT * FROM unnest(%(ids)s::int[], %(titles)s::text[], %(genres)s::text[]) AS row(movieId, title, genres)
), written AS (
    INSERT INTO movies (movieId, title, genres)
    SELECT movieId, title, genres FROM incoming
    ON CONFLICT (movieId) DO UPDATE
    SET title = EXCLUDED.title, genres = EXCLUDED.genres,
        pca_features = CASE WHEN movies.genres IS NOT DISTINCT FROM EXCLUDED.genres THEN movies.pca_features END
    WHERE (movies.title, movies.genres) IS DISTINCT FROM (EXCLUDED.title, EXCLUDED.genres)
    RETURNING (xmax = 0) AS inserted
)
SELECT count(*) FILTER (WHERE inserted) AS inserted, count(*) FILTER (WHERE NOT inserted) AS updated,
       (SELECT count(*) FROM movies m WHERE NOT EXISTS (SELECT FROM incoming i WHERE i.movieId = m.movieId)) AS kept
FROM written
