-- The champion or its nearest predecessor that was not trained on the batch, and the one before it.
WITH RECURSIVE line AS (
    SELECT v.version, v.replaced, 1 AS step
    FROM ops.champion c JOIN ops.model_versions v USING (version)
    UNION ALL
    SELECT v.version, v.replaced, line.step + 1
    FROM line JOIN ops.model_versions v ON v.version = line.replaced
)
SELECT version FROM line
WHERE EXISTS (SELECT FROM ops.model_versions v WHERE v.version = line.version AND v.erased_by IS NULL)
  AND NOT EXISTS (SELECT FROM ops.model_batches b WHERE b.version = line.version AND b.batch_id = %(batch_id)s)
  AND NOT EXISTS (SELECT FROM ops.batches stored
                  JOIN ops.model_versions mover ON mover.version = stored.merged_by
                  JOIN ops.model_versions v ON v.version = line.version
                  WHERE stored.batch_id = %(batch_id)s AND v.ordinal > mover.ordinal)
ORDER BY step
LIMIT 2
