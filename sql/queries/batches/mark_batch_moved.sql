-- In which table a batch's rows are from now on, and which promotion moved them.
UPDATE ops.batches
SET place = %(place)s, merged_at = CURRENT_TIMESTAMP, merged_by = %(version)s
WHERE batch_id = %(batch_id)s
