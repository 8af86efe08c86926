-- The recommendations of people.
DELETE FROM recommendations WHERE userId = ANY(%(users)s)
