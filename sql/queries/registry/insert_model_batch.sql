-- A batch, with its content, that a version was trained or evaluated on.
INSERT INTO ops.model_batches (version, batch_id, md5, rows) VALUES (%(version)s, %(batch_id)s, %(md5)s, %(rows)s)
