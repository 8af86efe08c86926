-- A batch whose rows a person removed: the ledgers say so, and a decision that is open no longer asks for a retraining.
WITH gone AS (
    UPDATE ops.batches SET place = 'deleted' WHERE batch_id = %(batch_id)s
), contents AS (
    UPDATE ops.files SET state = 'removed' WHERE for_table = %(table)s AND state = 'loaded'
), decisions AS (
    UPDATE ops.retraining_decisions
    SET state = 'superseded', settled_at = clock_timestamp(), outcome = 'the batch was removed'
    WHERE batch_id = %(batch_id)s AND state IN ('waiting', 'not_due')
)
UPDATE ingestion_metadata SET record_count = 0, ingestion_date = CURRENT_TIMESTAMP, notes = %(note)s
WHERE batch_id = %(batch_id)s
