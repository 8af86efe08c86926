-- The batches, with their contents, that a version learned from or was judged on.
SELECT batch_id, md5, rows FROM ops.model_batches WHERE version = %(version)s ORDER BY batch_id
