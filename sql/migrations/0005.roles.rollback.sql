-- The roles themselves stay: they belong to the server, and another database may use them.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analyst') THEN
        ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops REVOKE ALL ON TABLES FROM analyst;
        REVOKE ALL ON ALL TABLES IN SCHEMA public, netflix, ops FROM analyst;
        REVOKE USAGE ON SCHEMA public, netflix, ops FROM analyst;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ml_pipeline') THEN
        ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops REVOKE ALL ON TABLES FROM ml_pipeline;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops REVOKE ALL ON SEQUENCES FROM ml_pipeline;
        REVOKE ALL ON ALL TABLES IN SCHEMA public, netflix, ops FROM ml_pipeline;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA public, netflix, ops FROM ml_pipeline;
        REVOKE USAGE ON SCHEMA public, netflix, ops FROM ml_pipeline;
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
END
$$;
