-- Ten numbers a movie, NULL where it has no genres; rows that have them already are not written again.
UPDATE movies
SET pca_features = computed.features
FROM unnest(%(ids)s::int[], %(features)s::jsonb[]) AS computed(movieId, features)
WHERE movies.movieId = computed.movieId AND movies.pca_features IS DISTINCT FROM computed.features
