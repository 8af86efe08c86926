-- The train split as ten counts, 0.5 first; kept, so that assessing a batch need not read the table.
INSERT INTO ops.drift_baseline (counts)
SELECT array_agg(COALESCE(found.count, 0) ORDER BY half_stars)
FROM generate_series(1, 10) AS half_stars
LEFT JOIN (SELECT (rating * 2)::int AS half_stars, count(*) FROM ratings WHERE data_split = 'train' GROUP BY 1) AS found
    USING (half_stars)
ON CONFLICT (only_one) DO UPDATE SET counts = EXCLUDED.counts, computed_at = clock_timestamp()
