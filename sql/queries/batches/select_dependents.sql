-- What was made with a batch's rows: versions that learned from them, lists of its users, drift scores, its decision.
-- Index: idx_buffer_batch, idx_ratings_batch, idx_drift_alerts_batch.
WITH people AS (
    SELECT userId FROM ratings_buffer WHERE batch_id = %(batch_id)s
    UNION
    SELECT userId FROM ratings WHERE batch_id = %(batch_id)s
)
SELECT stored.place, stored.rows, stored.merged_by,
       COALESCE((SELECT array_agg(v.version ORDER BY v.ordinal) FROM ops.model_versions v
                 LEFT JOIN ops.model_versions mover ON mover.version = stored.merged_by
                 WHERE EXISTS (SELECT FROM ops.model_batches b WHERE b.version = v.version AND b.batch_id = stored.batch_id)
                    OR jsonb_exists(v.trained_from -> 'rows', 'batches/' || stored.batch_id)
                    OR (stored.place = 'merged' AND v.trained_from IS NULL AND v.ordinal > mover.ordinal)),
                ARRAY[]::varchar[]) AS versions,
       (SELECT version FROM ops.champion) AS champion,
       (SELECT count(*) FROM people) AS users,
       (SELECT count(*) FROM people WHERE EXISTS (SELECT FROM recommendations r WHERE r.userId = people.userId))
           AS users_with_lists,
       (SELECT count(*) FROM drift_alerts WHERE batch_id = stored.batch_id) AS drift_scores,
       (SELECT state FROM ops.retraining_decisions d WHERE d.batch_id = stored.batch_id AND d.md5 = stored.md5) AS decision
FROM ops.batches stored
WHERE stored.batch_id = %(batch_id)s
