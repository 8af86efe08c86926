-- The reason of the failure; record_count is the number of rows in the tables, which are those of the former content.
INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes)
VALUES (%(batch_id)s, CURRENT_TIMESTAMP, 0, 'failed', %(note)s)
ON CONFLICT (batch_id) DO UPDATE
SET status = 'failed', ingestion_date = CURRENT_TIMESTAMP, notes = EXCLUDED.notes,
    record_count = COALESCE((SELECT stored.rows FROM ops.batches stored WHERE stored.batch_id = %(batch_id)s), 0)
WHERE NOT EXISTS (SELECT FROM ops.batches stored WHERE stored.batch_id = %(batch_id)s AND stored.md5 = %(md5)s)
