-- How active each user of the train split is.
SELECT userid, count(*) FROM ratings WHERE data_split = 'train' GROUP BY userid ORDER BY userid
