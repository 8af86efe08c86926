-- The user whose number of ratings is nearest to 150, as an example for recommendations.
SELECT userid FROM ratings GROUP BY userid ORDER BY abs(count(*) - 150), userid LIMIT 1
