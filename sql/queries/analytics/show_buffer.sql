-- What a rating of a batch looks like.
SELECT * FROM ratings_buffer LIMIT 5
