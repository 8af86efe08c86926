-- Three users with lists, of few, usual and many ratings: the tenth, fiftieth and ninetieth percentile.
WITH served AS (
    SELECT rated.userId, rated.ratings, row_number() OVER (ORDER BY rated.ratings, rated.userId) AS place,
           count(*) OVER () AS users
    FROM (SELECT userId, count(*) AS ratings FROM ratings GROUP BY userId) AS rated
    JOIN (SELECT DISTINCT userId FROM recommendations) AS listed USING (userId)
)
SELECT userId AS user_id, ratings FROM served
WHERE place IN (ceil(users * 0.1), ceil(users * 0.5), ceil(users * 0.9))
ORDER BY ratings, userId
