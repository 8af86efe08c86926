-- What one user has rated, in any table and any split.
SELECT movieid, rating, timestamp FROM ratings WHERE userid = %(user)s
UNION ALL
SELECT movieid, rating, timestamp FROM ratings_buffer WHERE userid = %(user)s
