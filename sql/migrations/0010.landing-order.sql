-- The order of landings and of genre bases is a sequence's: a clock may step back, and a server may be in another zone.
-- depends: 0007.computed-by

CREATE SEQUENCE ops.landing_order;
CREATE SEQUENCE ops.genre_basis_order;

-- for_table: movies, ratings or batches/<batch_id>, by the one rule of cinematch_assets/table_names.py; landing: rises with
-- each landing, of a known content too. Times are points in time now; they were the server's local time.
ALTER TABLE ops.files
    ADD COLUMN for_table TEXT,
    ADD COLUMN landing BIGINT NOT NULL DEFAULT nextval('ops.landing_order'),
    ALTER COLUMN landed_at DROP DEFAULT,
    ALTER COLUMN landed_at TYPE TIMESTAMPTZ USING landed_at AT TIME ZONE current_setting('TimeZone'),
    ALTER COLUMN landed_at SET DEFAULT clock_timestamp(),
    ALTER COLUMN finished_at TYPE TIMESTAMPTZ USING finished_at AT TIME ZONE current_setting('TimeZone');
UPDATE ops.files SET for_table = regexp_replace(path, '\.(csv|parquet)$', '', 'i');
ALTER TABLE ops.files ALTER COLUMN for_table SET NOT NULL;
UPDATE ops.files known SET landing = ranked.place
FROM (SELECT path, md5, row_number() OVER (ORDER BY landed_at, path, md5) AS place FROM ops.files) AS ranked
WHERE (known.path, known.md5) = (ranked.path, ranked.md5);
SELECT setval('ops.landing_order', (SELECT count(*) + 1 FROM ops.files));

ALTER TABLE ops.genre_bases ADD COLUMN ordinal BIGINT NOT NULL DEFAULT nextval('ops.genre_basis_order');
UPDATE ops.genre_bases known SET ordinal = ranked.place
FROM (SELECT version, row_number() OVER (ORDER BY created_at, version) AS place FROM ops.genre_bases) AS ranked
WHERE known.version = ranked.version;
SELECT setval('ops.genre_basis_order', (SELECT count(*) + 1 FROM ops.genre_bases));

-- The basis whose features a version was trained on; while there is none, the basis may be fitted again.
ALTER TABLE ops.model_versions ADD COLUMN genre_basis VARCHAR(64) REFERENCES ops.genre_bases(version);
UPDATE ops.model_versions SET genre_basis = (SELECT version FROM ops.genre_bases ORDER BY ordinal DESC LIMIT 1);
