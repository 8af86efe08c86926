-- Given up on after so many attempts; it says so here, and a person may materialize retrain by hand.
UPDATE ops.retraining_decisions
SET state = 'failed', outcome = %(outcome)s, settled_at = clock_timestamp()
WHERE id = %(id)s AND state = 'waiting'
