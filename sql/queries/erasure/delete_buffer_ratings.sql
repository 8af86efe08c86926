-- The waiting ratings of people.
DELETE FROM ratings_buffer WHERE userId = ANY(%(users)s)
