-- A person approved it.
UPDATE ops.model_versions SET state = 'promoted', judged_at = LOCALTIMESTAMP, expires_at = NULL
WHERE version = %(version)s AND state = 'awaiting_approval'
