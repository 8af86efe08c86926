-- In the transaction that applied it.
INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)
VALUES (%(hash)s, %(id)s, CURRENT_TIMESTAMP AT TIME ZONE 'utc')
