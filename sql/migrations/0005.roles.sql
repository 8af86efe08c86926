-- The analyst reads, the pipeline reads and writes. Roles belong to the whole server, so another database may have made
-- them already. They come without a password: nobody signs in with them until an administrator sets one.
-- depends: 0004.ops

DO $$
BEGIN
    CREATE ROLE analyst LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE ml_pipeline LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- Whoever migrates may take on either role: `cinematch sql` asks as analyst. On a server where somebody else made the
-- roles that somebody has to grant them.
DO $$
BEGIN
    EXECUTE format('GRANT analyst, ml_pipeline TO %I', current_user);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'roles analyst and ml_pipeline belong to another user: ask for GRANT analyst, ml_pipeline TO %', current_user;
END
$$;

GRANT USAGE ON SCHEMA public, netflix, ops TO analyst, ml_pipeline;
GRANT SELECT ON ALL TABLES IN SCHEMA public, netflix, ops TO analyst;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, netflix, ops TO ml_pipeline;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, netflix, ops TO ml_pipeline;

-- Tables that later migrations make are covered too.
ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT SELECT ON TABLES TO analyst;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ml_pipeline;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT USAGE, SELECT ON SEQUENCES TO ml_pipeline;

-- Who can create temp tables is not read-only.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
