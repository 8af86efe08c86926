-- The ratings of people.
DELETE FROM ratings WHERE userId = ANY(%(users)s)
