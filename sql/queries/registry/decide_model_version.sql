-- The gate's result with its evidence; a promoted version's artifact is the one refitted on the holdout rows too.
UPDATE ops.model_versions
SET state = %(state)s, metrics = %(metrics)s, evidence = %(evidence)s, judged_at = LOCALTIMESTAMP,
    replaced = %(previous_champion)s, artifact_key = %(artifact_key)s, artifact_sha256 = %(artifact_sha256)s,
    artifact_size = %(artifact_size)s, artifact_format = %(artifact_format)s, computed_by = %(computed_by)s,
    data_size = %(data_size)s, trained_from = COALESCE(%(trained_from)s, trained_from)
WHERE version = %(version)s AND state = 'candidate'
