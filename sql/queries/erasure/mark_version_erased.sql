-- A version that knew a person; a candidate among them is never decided on.
UPDATE ops.model_versions
SET erased_by = %(erasure)s, state = CASE WHEN state = 'candidate' THEN 'rejected' ELSE state END
WHERE version = %(version)s
