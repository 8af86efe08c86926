-- How often each rating is given, in the train split and in the buffer.
WITH baseline AS (
    SELECT rating, COUNT(*) AS count
    FROM ratings WHERE data_split = 'train'
    GROUP BY rating
),
new_data AS (
    SELECT rating, COUNT(*) AS count
    FROM ratings_buffer
    GROUP BY rating
)
SELECT
    baseline.rating,
    baseline.count AS baseline_count,
    COALESCE(new_data.count, 0) AS buffer_count,
    baseline.count - COALESCE(new_data.count, 0) AS difference
FROM baseline
LEFT JOIN new_data ON baseline.rating = new_data.rating
ORDER BY baseline.rating
