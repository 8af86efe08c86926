-- Decisions to retrain without an outcome yet, oldest first.
SELECT id, batch_id, md5, reason FROM ops.retraining_decisions WHERE state = 'waiting' ORDER BY id
