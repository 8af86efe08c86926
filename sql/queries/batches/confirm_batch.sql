-- The tables hold this content already, so whatever failed since (a refused replacement, now taken back) is no news.
UPDATE ingestion_metadata
SET status = 'completed', record_count = %(rows)s, ingestion_date = CURRENT_TIMESTAMP, notes = %(note)s
WHERE batch_id = %(batch_id)s AND status <> 'completed'
