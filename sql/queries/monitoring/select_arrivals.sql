-- Each batch that came: the numbers of its newest file, where its rows are, the decision on its content, newest first.
WITH newest AS (
    SELECT DISTINCT ON (for_table) substr(for_table, 9) AS batch_id, path, state, landed_at, landing, rows_read,
           rows_accepted, rows_rejected, note
    FROM ops.files
    WHERE for_table LIKE 'batches/%%'
    ORDER BY for_table, landing DESC
)
SELECT newest.batch_id, newest.path, newest.state, newest.landed_at AS arrived_at, newest.rows_read,
       newest.rows_accepted, newest.rows_rejected, newest.note,
       CASE WHEN EXISTS (SELECT FROM ops.files f WHERE f.for_table = 'batches/' || newest.batch_id AND f.md5 = stored.md5
                         AND f.state = 'removed') THEN 'removed' ELSE stored.place END AS place, decision.state AS decision,
       COALESCE(decision.outcome, decision.reason) AS reason
FROM newest
LEFT JOIN ops.batches stored USING (batch_id)
LEFT JOIN ops.retraining_decisions decision ON decision.batch_id = newest.batch_id AND decision.md5 = stored.md5
ORDER BY newest.landing DESC
