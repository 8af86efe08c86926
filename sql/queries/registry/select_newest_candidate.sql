-- The candidate of this run, or else the newest one.
SELECT version FROM ops.model_versions
WHERE state = 'candidate'
ORDER BY (run_id = %(run_id)s) DESC, ordinal DESC
LIMIT 1
