-- What was done when and by which database user; rows stay after a rollback.
INSERT INTO _yoyo_log (id, migration_hash, migration_id, operation, username, created_at_utc)
VALUES (gen_random_uuid()::text, %(hash)s, %(id)s, %(operation)s, CURRENT_USER, CURRENT_TIMESTAMP AT TIME ZONE 'utc')
