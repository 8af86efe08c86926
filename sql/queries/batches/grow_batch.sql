-- Count released rows as rows of their batch.
WITH grown AS (
    UPDATE ops.batches SET rows = rows + %(rows)s WHERE batch_id = %(batch_id)s
)
UPDATE ingestion_metadata SET record_count = record_count + %(rows)s WHERE batch_id = %(batch_id)s
