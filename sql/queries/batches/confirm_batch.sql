-- The tables have this content already, so a failure since then (a refused replacement, now taken back) no longer counts.
UPDATE ingestion_metadata
SET status = 'completed', record_count = %(rows)s, ingestion_date = CURRENT_TIMESTAMP, notes = %(note)s
WHERE batch_id = %(batch_id)s AND status <> 'completed'
