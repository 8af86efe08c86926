-- Movies whose features have to be computed: they have none, and a genre that the basis knows, or there is no basis yet.
SELECT count(*)
FROM movies
LEFT JOIN (SELECT basis FROM ops.genre_bases ORDER BY ordinal DESC LIMIT 1) AS newest ON true
WHERE pca_features IS NULL AND genres IS NOT NULL
  AND (newest.basis IS NULL
       OR EXISTS (SELECT FROM unnest(string_to_array(genres, '|')) AS genre WHERE newest.basis -> 'genres' ? genre))
