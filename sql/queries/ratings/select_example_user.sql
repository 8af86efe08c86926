-- The user whose number of ratings is nearest to 150, as an example for recommendations.
SELECT userId FROM ratings GROUP BY userId ORDER BY abs(count(*) - 150), userId LIMIT 1
