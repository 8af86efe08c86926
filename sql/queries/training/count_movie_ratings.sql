-- How popular each movie is in the train split.
SELECT movieid, count(*) FROM ratings WHERE data_split = 'train' GROUP BY movieid ORDER BY movieid
