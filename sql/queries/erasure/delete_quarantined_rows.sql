-- Delete rejected rows of people; return how many still counted as rejected.
WITH gone AS (DELETE FROM ops.rejected_rows WHERE id = ANY(%(ids)s) RETURNING released_at)
SELECT count(*) FILTER (WHERE released_at IS NULL), count(*) FROM gone
