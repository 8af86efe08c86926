-- One decision per content. Once it has an outcome, assessing the batch again does not reopen it; a content that came back
-- after another had replaced it is decided on anew.
INSERT INTO ops.retraining_decisions (batch_id, md5, due, reason, evidence, state)
VALUES (%(batch_id)s, %(md5)s, %(due)s, %(reason)s, %(evidence)s, CASE WHEN %(due)s THEN 'waiting' ELSE 'not_due' END)
ON CONFLICT (batch_id, md5) DO UPDATE
SET due = EXCLUDED.due, reason = EXCLUDED.reason, evidence = EXCLUDED.evidence, state = EXCLUDED.state,
    outcome = NULL, settled_at = NULL, decided_at = clock_timestamp()
WHERE ops.retraining_decisions.state IN ('waiting', 'not_due', 'superseded')
