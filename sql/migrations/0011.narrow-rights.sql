-- The platform runs as ml_pipeline: what only an owner may do is a function each, with a fixed search_path and no SQL from
-- outside. What each role may do is granted by sql/queries/migrations/grant_roles.sql.
-- depends: 0014.notifications

-- How the dropped indexes of ratings are defined. It holds rows only within a load's transaction; a definition is executed
-- as the owner, so the owner alone writes it.
CREATE TABLE ops.dropped_indexes (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);

-- Drop the indexes of ratings that no constraint needs, and remember them; return how many.
CREATE FUNCTION ops.drop_ratings_indexes() RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found RECORD;
    dropped INTEGER := 0;
BEGIN
    FOR found IN
        SELECT index.indexrelid::regclass::text AS name, pg_get_indexdef(index.indexrelid) AS definition
        FROM pg_index index
        LEFT JOIN pg_constraint owner ON owner.conindid = index.indexrelid
        WHERE index.indrelid = 'public.ratings'::regclass AND owner.oid IS NULL
        ORDER BY index.indexrelid
    LOOP
        INSERT INTO ops.dropped_indexes VALUES (found.name, found.definition)
        ON CONFLICT (name) DO UPDATE SET definition = EXCLUDED.definition;
        EXECUTE 'DROP INDEX ' || found.name;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Build the remembered indexes again, those of a transaction that dropped them and built none included.
CREATE FUNCTION ops.build_ratings_indexes() RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing RECORD;
    built INTEGER := 0;
BEGIN
    FOR missing IN SELECT definition FROM ops.dropped_indexes WHERE to_regclass(name) IS NULL ORDER BY name LOOP
        EXECUTE missing.definition;
        built := built + 1;
    END LOOP;
    DELETE FROM ops.dropped_indexes;
    RETURN built;
END
$$;

-- As the schema reference makes it, but empty, so that the move of old alerts fills it however often it runs.
CREATE FUNCTION ops.make_alerts_archive() RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('public.drift_alerts_archive') IS NULL THEN
        CREATE TABLE public.drift_alerts_archive AS SELECT * FROM public.drift_alerts WITH NO DATA;
    END IF;
END
$$;

-- The planner's statistics. VACUUM runs in no function: it is a right from Postgres 17 on, and autovacuum's before that.
CREATE FUNCTION ops.analyze_tables() RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE public.ratings, public.ratings_buffer, public.movies, public.recommendations;
END
$$;

REVOKE ALL ON FUNCTION ops.drop_ratings_indexes(), ops.build_ratings_indexes(), ops.make_alerts_archive(),
    ops.analyze_tables() FROM PUBLIC;

-- Large objects belong to no table, so that any user who can sign in could fill the disk with them.
DO $$
DECLARE
    writer REGPROCEDURE;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE WARNING 'every role can write large objects into database %, which only a superuser can prevent: REVOKE EXECUTE ON FUNCTION lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea), lowrite(int, bytea), lo_truncate(int, int), lo_truncate64(int, bigint) FROM PUBLIC', current_database();
        RETURN;
    END IF;
    FOR writer IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite', 'lo_truncate', 'lo_truncate64')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', writer);
    END LOOP;
END
$$;
