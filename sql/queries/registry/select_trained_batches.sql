-- The batches, with their contents, that a version was trained or evaluated on.
SELECT batch_id, md5, rows FROM ops.model_batches WHERE version = %(version)s ORDER BY batch_id
