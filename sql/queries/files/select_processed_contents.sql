-- Contents that need no run: in the tables, removed, or refused. One that was refused for movies which the catalogue lacked is read
-- again once it has more. A batch whose replacement was refused is read again when its former content is back in the
-- folder, so that its status becomes completed again.
SELECT f.path, f.md5
FROM ops.files f
LEFT JOIN ingestion_metadata m ON f.for_table = 'batches/' || m.batch_id
WHERE (f.state = 'refused' AND (f.refused_at_movies IS NULL
                                OR f.refused_at_movies >= (SELECT count(*) FROM movies)))
   OR f.state = 'removed'
   OR (f.state = 'loaded' AND m.status IS DISTINCT FROM 'failed')
