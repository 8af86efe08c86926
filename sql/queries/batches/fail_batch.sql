-- The reason, for whoever looks; record_count speaks of the rows that the tables hold, which are the former content's.
INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes)
VALUES (%(batch_id)s, CURRENT_TIMESTAMP, 0, 'failed', %(note)s)
ON CONFLICT (batch_id) DO UPDATE
SET status = 'failed', ingestion_date = CURRENT_TIMESTAMP, notes = EXCLUDED.notes,
    record_count = COALESCE((SELECT held.rows FROM ops.batches held WHERE held.batch_id = %(batch_id)s), 0)
WHERE NOT EXISTS (SELECT FROM ops.batches held WHERE held.batch_id = %(batch_id)s AND held.md5 = %(md5)s)
