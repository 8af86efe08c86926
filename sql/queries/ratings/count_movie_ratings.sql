-- How popular each movie is in the train split.
SELECT movieId, count(*) FROM ratings WHERE data_split = 'train' GROUP BY movieId ORDER BY movieId
