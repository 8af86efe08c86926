DO $$
DECLARE
    writer REGPROCEDURE;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ml_pipeline') THEN
        GRANT INSERT, UPDATE, DELETE ON public._yoyo_migration, public._yoyo_log, public._yoyo_version TO ml_pipeline;
        IF current_setting('server_version_num')::int >= 170000 THEN
            EXECUTE 'REVOKE MAINTAIN ON public.ratings, public.ratings_buffer, public.movies, public.recommendations '
                'FROM ml_pipeline';
        END IF;
    END IF;
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR writer IN
            SELECT oid FROM pg_proc
            WHERE pronamespace = 'pg_catalog'::regnamespace
              AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite', 'lo_truncate', 'lo_truncate64')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', writer);
        END LOOP;
    END IF;
END
$$;
DROP FUNCTION ops.analyze_tables(), ops.make_alerts_archive(), ops.build_ratings_indexes(), ops.drop_ratings_indexes();
DROP TABLE ops.dropped_indexes;
