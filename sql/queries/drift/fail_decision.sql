-- No further attempt will be made for this decision; retrain can still be materialized by hand.
UPDATE ops.retraining_decisions
SET state = 'failed', outcome = %(outcome)s, settled_at = clock_timestamp()
WHERE id = %(id)s AND state = 'waiting'
