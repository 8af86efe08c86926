-- How many rows each batch has, now that some of it are gone; its report is drawn again.
WITH held AS (
    SELECT batch_id, count(*) AS rows, max(timestamp) AS newest
    FROM (SELECT batch_id, timestamp FROM ratings_buffer
          UNION ALL SELECT batch_id, timestamp FROM ratings WHERE batch_id IS NOT NULL) AS every
    GROUP BY batch_id
), counted AS (
    UPDATE ops.batches stored
    SET rows = COALESCE(held.rows, 0), newest_timestamp = held.newest
    FROM ops.batches known LEFT JOIN held USING (batch_id)
    WHERE stored.batch_id = known.batch_id AND stored.place <> 'deleted' AND stored.rows <> COALESCE(held.rows, 0)
    RETURNING stored.batch_id, stored.rows
)
UPDATE ingestion_metadata loaded SET record_count = counted.rows
FROM counted WHERE counted.batch_id = loaded.batch_id
