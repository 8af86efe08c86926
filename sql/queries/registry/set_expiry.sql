-- Until when a version awaits approval.
UPDATE ops.model_versions SET expires_at = now() + make_interval(days => %(days)s) WHERE version = %(version)s
