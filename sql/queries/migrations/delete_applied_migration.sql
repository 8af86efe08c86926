-- In the transaction that rolled it back.
DELETE FROM _yoyo_migration WHERE migration_hash = %(hash)s AND migration_id = %(id)s
