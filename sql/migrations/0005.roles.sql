-- The analyst reads, the pipeline reads and writes. Roles belong to the whole server, so another database may have made
-- them already. They come without a password; where the server refuses that (Neon does) with a random one that is thrown
-- away. Either way no one signs in with them until an administrator sets one. A user who may not make roles goes on without
-- them: every `cinematch migrate` grants what is missing (sql/queries/migrations/grant_roles.sql) and warns of the rest.
-- depends: 0004.ops

DO $$
DECLARE
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['analyst', 'ml_pipeline'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN OTHERS THEN
                BEGIN
                    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', wanted, gen_random_uuid()::text || gen_random_uuid());
                EXCEPTION
                    WHEN duplicate_object OR unique_violation THEN NULL;
                    WHEN OTHERS THEN RAISE LOG 'role % cannot be made by %: %', wanted, current_user, SQLERRM;
                END;
        END;
    END LOOP;
END
$$;

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

-- Who can create temp tables is not read-only.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
