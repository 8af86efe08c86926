-- What each user has rated, in any table and any split: never to be recommended.
SELECT userid, movieid FROM ratings
UNION
SELECT userid, movieid FROM ratings_buffer
