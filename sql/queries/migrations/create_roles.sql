-- The analyst reads, the pipeline reads and writes. Every `cinematch migrate` runs this first. Roles belong to the whole
-- server, so another database may have made them already. They come without a password; where the server refuses that (Neon
-- does) with a random one that is thrown away. Either way no one signs in with them until an administrator sets one. A user
-- who may not make roles goes on without them: grant_roles.sql warns.
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
