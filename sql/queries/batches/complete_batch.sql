-- Rows and status in one transaction: this runs in the one that writes the rows.
INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status, notes)
VALUES (%(batch_id)s, CURRENT_TIMESTAMP, %(rows)s, 'completed', %(note)s)
ON CONFLICT (batch_id) DO UPDATE
SET status = 'completed', ingestion_date = CURRENT_TIMESTAMP, record_count = EXCLUDED.record_count, notes = EXCLUDED.notes
