-- How active each user of the train split is.
SELECT userId, count(*) FROM ratings WHERE data_split = 'train' GROUP BY userId ORDER BY userId
