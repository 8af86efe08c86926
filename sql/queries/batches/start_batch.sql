-- Status in_progress, unless this content is in the tables already.
INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes)
VALUES (%(batch_id)s, CURRENT_TIMESTAMP, NULL, 'in_progress', %(note)s)
ON CONFLICT (batch_id) DO UPDATE
SET status = 'in_progress', ingestion_date = CURRENT_TIMESTAMP, notes = EXCLUDED.notes
WHERE NOT EXISTS (SELECT FROM ops.batches stored
                  WHERE stored.batch_id = %(batch_id)s AND stored.md5 = %(md5)s)
