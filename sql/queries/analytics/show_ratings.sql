-- What a rating looks like.
SELECT * FROM ratings LIMIT 5
