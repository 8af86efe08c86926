-- Rows, mean and sample deviation of each split. The casts are ours: Postgres has no round(double precision, integer).
SELECT
    data_split,
    COUNT(*) AS records,
    ROUND(AVG(rating)::numeric, 2) AS avg_rating,
    ROUND(STDDEV(rating)::numeric, 2) AS std_rating
FROM ratings
GROUP BY data_split
