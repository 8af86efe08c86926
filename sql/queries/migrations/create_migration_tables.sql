-- What is written down of migrations, in the layout of yoyo's schema version 2, so that yoyo reads it and databases that
-- yoyo migrated stay as they are.
CREATE TABLE IF NOT EXISTS _yoyo_migration (
    migration_hash VARCHAR(64) PRIMARY KEY,
    migration_id VARCHAR(255),
    applied_at_utc TIMESTAMP
);
CREATE TABLE IF NOT EXISTS _yoyo_log (
    id VARCHAR(36) PRIMARY KEY,
    migration_hash VARCHAR(64),
    migration_id VARCHAR(255),
    operation VARCHAR(10),
    username VARCHAR(255),
    hostname VARCHAR(255),
    comment VARCHAR(255),
    created_at_utc TIMESTAMP
);
CREATE TABLE IF NOT EXISTS _yoyo_version (
    version INT PRIMARY KEY,
    installed_at_utc TIMESTAMP
);
INSERT INTO _yoyo_version VALUES (2, CURRENT_TIMESTAMP AT TIME ZONE 'utc') ON CONFLICT DO NOTHING
