-- How the published lists are spread over movies: users, places, different movies, and the places of the 10 most shown.
WITH shown AS (SELECT movieId, count(*) AS places FROM recommendations GROUP BY movieId)
SELECT (SELECT count(DISTINCT userId) FROM recommendations) AS users,
       COALESCE(sum(places), 0)::bigint AS places,
       count(*) AS movies,
       (SELECT count(*) FROM movies) AS catalogue,
       COALESCE((SELECT sum(places) FROM (SELECT places FROM shown ORDER BY places DESC LIMIT 10) AS top), 0)::bigint
           AS places_of_top_10
FROM shown
