CREATE OR REPLACE VIEW ops.training_ratings AS
SELECT learned.userId, learned.movieId, learned.rating, learned.timestamp, learned.batch_id
FROM (
    SELECT r.userId, r.movieId, r.rating, r.timestamp, r.batch_id
    FROM ratings r
    WHERE r.data_split = 'train'
    UNION ALL
    SELECT b.userId, b.movieId, b.rating, b.timestamp, b.batch_id
    FROM ratings_buffer b
    JOIN ops.batches accepted ON accepted.batch_id = b.batch_id AND accepted.place = 'buffer'
) AS learned
WHERE NOT EXISTS (SELECT FROM ratings t
                  WHERE t.data_split = 'test' AND t.userId = learned.userId AND t.movieId = learned.movieId);

DROP TABLE ops.leases;
ALTER TABLE ops.champion DROP COLUMN recommended;
ALTER TABLE ops.model_versions DROP COLUMN trained_on;
ALTER TABLE ops.files DROP COLUMN refused_at_movies;
ALTER TABLE ops.batches DROP COLUMN reported_md5;
ALTER TABLE ops.batches DROP COLUMN assessed_md5;
DROP TABLE ops.outstanding_work;
