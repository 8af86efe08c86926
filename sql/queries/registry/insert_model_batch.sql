-- A batch, with the content, that a version learned from or was judged on.
INSERT INTO ops.model_batches (version, batch_id, md5, rows) VALUES (%(version)s, %(batch_id)s, %(md5)s, %(rows)s)
