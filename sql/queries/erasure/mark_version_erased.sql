-- A version that knew a person; a candidate among them is never decided on, one that awaits approval never approved.
UPDATE ops.model_versions
SET erased_by = %(erasure)s, state = CASE WHEN state IN ('candidate', 'awaiting_approval') THEN 'rejected' ELSE state END
WHERE version = %(version)s
