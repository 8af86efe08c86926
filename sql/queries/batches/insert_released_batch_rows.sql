-- Released rows of a batch, into the table of its other rows: the buffer, or ratings once it was merged.
WITH released AS (
    SELECT * FROM unnest(%(users)s::int[], %(movies)s::int[], %(ratings)s::float[], %(timestamps)s::bigint[])
        AS row(userId, movieId, rating, timestamp)
), place AS (
    SELECT place FROM ops.batches WHERE batch_id = %(batch_id)s
), buffered AS (
    INSERT INTO ratings_buffer (userId, movieId, rating, timestamp, batch_id, ingested_at)
    SELECT userId, movieId, rating, timestamp, %(batch_id)s, LOCALTIMESTAMP FROM released
    WHERE (SELECT place FROM place) = 'buffer'
)
INSERT INTO ratings (userId, movieId, rating, timestamp, data_split, batch_id)
SELECT userId, movieId, rating, timestamp, 'train', %(batch_id)s FROM released
WHERE (SELECT place FROM place) = 'merged'
