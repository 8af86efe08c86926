-- Builds what drop_ratings_indexes dropped.
SELECT ops.build_ratings_indexes()
