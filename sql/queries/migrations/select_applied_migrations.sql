-- Ids of the migrations that the database has.
SELECT migration_id FROM _yoyo_migration
