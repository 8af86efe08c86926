-- What each user has rated, in any table and any split: never to be recommended.
SELECT userId, movieId FROM ratings
UNION
SELECT userId, movieId FROM ratings_buffer
