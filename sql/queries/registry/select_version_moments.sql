-- When each version was made and decided on, and whether its artifact was deleted with people that it knew.
SELECT version, created_at AT TIME ZONE current_setting('TimeZone') AS created_at,
       judged_at AT TIME ZONE current_setting('TimeZone') AS decided_at, erased_by IS NOT NULL AS is_erased
FROM ops.model_versions
