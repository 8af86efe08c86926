-- The outcome of the decisions on the batches that a version was trained on.
UPDATE ops.retraining_decisions decision
SET state = %(state)s, outcome = %(outcome)s, settled_at = clock_timestamp()
FROM ops.model_batches trained
WHERE trained.version = %(version)s AND decision.batch_id = trained.batch_id AND decision.md5 = trained.md5
  AND decision.state = 'waiting'
