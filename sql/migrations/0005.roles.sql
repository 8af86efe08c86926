-- What the roles may do with the tables of the migrations up to here; they are made before
-- (sql/queries/migrations/create_roles.sql), and every `cinematch migrate` grants what is missing (grant_roles.sql).
-- depends: 0004.ops

-- The user that migrates may take on either role: `cinematch sql` asks as analyst. On a server where another user made the
-- roles, that user has to grant them.
DO $$
DECLARE
    role TEXT;
BEGIN
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN ('analyst', 'ml_pipeline') LOOP
        BEGIN
            EXECUTE format('GRANT %I TO %I', role, current_user);
        EXCEPTION WHEN OTHERS THEN
            RAISE LOG 'role % cannot be granted to %: %', role, current_user, SQLERRM;
        END;
        EXECUTE format('GRANT USAGE ON SCHEMA public, netflix, ops TO %I', role);
        -- Tables that later migrations make are covered too.
        IF role = 'analyst' THEN
            GRANT SELECT ON ALL TABLES IN SCHEMA public, netflix, ops TO analyst;
            ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT SELECT ON TABLES TO analyst;
        ELSE
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, netflix, ops TO ml_pipeline;
            GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, netflix, ops TO ml_pipeline;
            ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops
                GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ml_pipeline;
            ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT USAGE, SELECT ON SEQUENCES TO ml_pipeline;
        END IF;
    END LOOP;
END
$$;
