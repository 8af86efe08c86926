-- What each user has rated, in any table and any split: never to be recommended. A pair that is in two tables comes twice:
-- to tell which are would cost the server more than the reading.
SELECT userId, movieId FROM ratings
UNION ALL
SELECT userId, movieId FROM ratings_buffer
