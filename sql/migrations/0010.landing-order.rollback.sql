ALTER TABLE ops.model_versions DROP COLUMN genre_basis;
ALTER TABLE ops.genre_bases DROP COLUMN ordinal;
ALTER TABLE ops.files
    DROP COLUMN for_table,
    DROP COLUMN landing,
    ALTER COLUMN landed_at DROP DEFAULT,
    ALTER COLUMN landed_at TYPE TIMESTAMP USING landed_at AT TIME ZONE current_setting('TimeZone'),
    ALTER COLUMN landed_at SET DEFAULT CURRENT_TIMESTAMP,
    ALTER COLUMN finished_at TYPE TIMESTAMP USING finished_at AT TIME ZONE current_setting('TimeZone');
DROP SEQUENCE ops.genre_basis_order;
DROP SEQUENCE ops.landing_order;
