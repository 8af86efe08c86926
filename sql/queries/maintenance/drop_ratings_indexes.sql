-- A function of the owner, because only an owner may drop indexes (migration 0011); it returns how many.
SELECT ops.drop_ratings_indexes()
