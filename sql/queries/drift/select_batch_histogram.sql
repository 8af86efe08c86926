-- A batch as ten counts, 0.5 first, in the buffer or merged.
-- Index: idx_buffer_batch, idx_ratings_batch.
SELECT array_agg(COALESCE(found.count, 0) ORDER BY half_stars)
FROM generate_series(1, 10) AS half_stars
LEFT JOIN (
    SELECT (rating * 2)::int AS half_stars, count(*)
    FROM (SELECT rating FROM ratings_buffer WHERE batch_id = %(batch_id)s
          UNION ALL
          SELECT rating FROM ratings WHERE batch_id = %(batch_id)s) AS batch
    GROUP BY 1
) AS found USING (half_stars)
