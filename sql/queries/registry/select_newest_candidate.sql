-- This run's candidate, or else the newest that nobody judged.
SELECT version FROM ops.model_versions
WHERE state = 'candidate'
ORDER BY (run_id = %(run_id)s) DESC, ordinal DESC
LIMIT 1
