-- Somebody to show lists for: neither a newcomer nor a fanatic.
SELECT userid FROM ratings GROUP BY userid ORDER BY abs(count(*) - 150), userid LIMIT 1
