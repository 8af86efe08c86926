-- The batch whose first content was landed last, and the days since then.
SELECT substr(for_table, length('batches/') + 1) AS batch_id,
       (extract(epoch FROM clock_timestamp() - min(landed_at)) / 86400)::float8 AS age_days
FROM ops.files
WHERE starts_with(for_table, 'batches/')
GROUP BY for_table
ORDER BY min(landed_at) DESC, for_table
LIMIT 1
