-- A decision on a content that the batch no longer has is not a reason to retrain any more.
UPDATE ops.retraining_decisions
SET state = 'superseded', settled_at = clock_timestamp(), outcome = 'the batch was replaced by other content'
WHERE batch_id = %(batch_id)s AND md5 <> %(md5)s AND state IN ('waiting', 'not_due')
