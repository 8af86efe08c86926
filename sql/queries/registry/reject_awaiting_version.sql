-- It expired, was rejected by hand or replaced by a newer one; what the gate found stays readable under gate_reason.
UPDATE ops.model_versions
SET state = 'rejected', judged_at = LOCALTIMESTAMP, expires_at = NULL, replaced = NULL,
    evidence = evidence || jsonb_build_object('reason', %(reason)s::text, 'gate_reason', evidence -> 'reason')
WHERE version = %(version)s AND state = 'awaiting_approval'
