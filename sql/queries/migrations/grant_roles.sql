-- What the roles may do, in one place. Every `cinematch migrate` runs it, so that a role that was made later gets its rights
-- too; it changes nothing where nothing is missing. A table that says nothing else gives analyst SELECT, and ml_pipeline
-- SELECT, INSERT, UPDATE and DELETE. The others stand in `narrower`: add a row there, and one to the role matrix in
-- cinematch_assets_tests/warehouse/test_role_matrix.py.
DO $$
DECLARE
    narrower CONSTANT TEXT[] := ARRAY[  -- table, role, the rights that it has
        ['public._yoyo_migration', 'ml_pipeline', 'SELECT'],
        ['public._yoyo_log', 'ml_pipeline', 'SELECT'],
        ['public._yoyo_version', 'ml_pipeline', 'SELECT'],
        ['ops.dropped_indexes', 'ml_pipeline', 'SELECT'],
        ['ops.audit', 'ml_pipeline', 'SELECT, INSERT'],
        ['ops.suppressed_users', 'ml_pipeline', 'SELECT, INSERT'],
        ['ops.erasures', 'ml_pipeline', 'SELECT, INSERT, UPDATE']
    ];
    version CONSTANT INTEGER := current_setting('server_version_num');
    may_take_on CONSTANT TEXT := CASE WHEN version >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    role TEXT;
    rights TEXT;
    found RECORD;
    setting TEXT[];
    excess TEXT;
BEGIN
    IF to_regclass('ops.dropped_indexes') IS NULL THEN  -- rolled back, or not migrated to the end
        RETURN;
    END IF;
    -- Who can create temporary tables is not read-only. A database that was copied or restored has PUBLIC's rights again.
    IF EXISTS (SELECT FROM pg_database, aclexplode(COALESCE(datacl, acldefault('d', datdba)))
               WHERE datname = current_database() AND grantee = 0 AND privilege_type = 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
    -- Large objects and messages in the write-ahead log belong to no table, so that any user who can sign in could fill the
    -- disk with them, in a read-only transaction too. A superuser closes them. By name, because the arguments of
    -- pg_logical_emit_message differ between releases of Postgres (a fourth since 17).
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR found IN SELECT oid::regprocedure AS name FROM pg_proc
                     WHERE pronamespace = 'pg_catalog'::regnamespace
                       AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put', 'lowrite', 'lo_truncate',
                                       'lo_truncate64', 'pg_logical_emit_message')
                       AND EXISTS (SELECT FROM aclexplode(COALESCE(proacl, acldefault('f', proowner))) WHERE grantee = 0)
        LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', found.name);
        END LOOP;
    END IF;
    FOR role, rights IN VALUES ('analyst', 'SELECT'), ('ml_pipeline', 'SELECT, INSERT, UPDATE, DELETE') LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            RAISE WARNING 'role % is missing, and user % may not make it: an administrator runs CREATE ROLE % LOGIN (with a random PASSWORD where the server asks for one); GRANT % TO % WITH ADMIN OPTION; then cinematch migrate', role, current_user, role, role, quote_ident(current_user);
            CONTINUE;
        END IF;
        IF NOT pg_has_role(current_user, role, may_take_on) THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', role, current_user);
            EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
                RAISE WARNING 'user % may not take on role %: an administrator runs GRANT % TO %', current_user, role, role, quote_ident(current_user);
            END;
        END IF;
        FOR found IN SELECT nspname AS name FROM pg_namespace
                     WHERE nspname IN ('public', 'netflix', 'ops') AND NOT has_schema_privilege(role, oid, 'USAGE')
        LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', found.name, role);
        END LOOP;
        FOR found IN SELECT oid::regclass AS name, relkind FROM pg_class
                     WHERE relnamespace::regnamespace::text IN ('public', 'netflix', 'ops') AND relkind IN ('r', 'p', 'v', 'S')
                       AND pg_has_role(relowner, 'USAGE') AND (relkind <> 'S' OR role = 'ml_pipeline')
                       AND NOT EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = role::regrole)
        LOOP
            IF found.relkind = 'S' THEN
                EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO %I', found.name, role);
            ELSE
                EXECUTE format('GRANT %s ON %s TO %I', rights, found.name, role);
            END IF;
        END LOOP;
        -- Tables that later migrations make.
        IF NOT EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                       WHERE defaclrole = current_user::regrole AND grantee = role::regrole) THEN
            EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT %s ON TABLES TO %I', rights, role);
            IF role = 'ml_pipeline' THEN
                ALTER DEFAULT PRIVILEGES IN SCHEMA public, netflix, ops GRANT USAGE, SELECT ON SEQUENCES TO ml_pipeline;
            END IF;
        END IF;
        FOR position IN 1 .. array_length(narrower, 1) LOOP
            CONTINUE WHEN narrower[position][2] <> role OR to_regclass(narrower[position][1]) IS NULL;
            SELECT string_agg(privilege_type, ', ') INTO excess
            FROM pg_class, aclexplode(relacl)
            WHERE oid = narrower[position][1]::regclass AND grantee = role::regrole
              AND privilege_type <> ALL (string_to_array(narrower[position][3], ', '));
            IF excess IS NOT NULL THEN
                EXECUTE format('REVOKE %s ON %s FROM %I', excess, narrower[position][1], role);
            END IF;
        END LOOP;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ml_pipeline') THEN
        IF NOT has_function_privilege('ml_pipeline', 'ops.drop_ratings_indexes()', 'EXECUTE') THEN
            GRANT EXECUTE ON FUNCTION ops.drop_ratings_indexes(), ops.build_ratings_indexes(), ops.make_alerts_archive(),
                ops.analyze_tables() TO ml_pipeline;
        END IF;
        IF version >= 170000 AND NOT has_table_privilege('ml_pipeline', 'public.ratings', 'MAINTAIN') THEN
            EXECUTE 'GRANT MAINTAIN ON public.ratings, public.ratings_buffer, public.movies, public.recommendations '
                'TO ml_pipeline';
        END IF;
        -- `cinematch sql` asks as analyst, whichever user the platform signs in as.
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analyst')
           AND NOT pg_has_role('ml_pipeline', 'analyst', may_take_on) THEN
            BEGIN
                GRANT analyst TO ml_pipeline;
            EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
                RAISE WARNING 'role ml_pipeline may not take on analyst, as cinematch sql does: an administrator runs GRANT analyst TO ml_pipeline';
            END;
        END IF;
    END IF;

    -- Where the analyst signs in with other tools: no query without an end, no transaction left open with its locks, no disk
    -- filled with temporary files. The last is a superuser's to set; the others are defaults, which a session may change. A
    -- role that an administrator made is theirs to bound.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analyst') THEN
        FOREACH setting SLICE 1 IN ARRAY ARRAY[
            ['statement_timeout', '10min'], ['lock_timeout', '1min'], ['idle_in_transaction_session_timeout', '10min'],
            ['temp_file_limit', '1GB']
        ] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles, unnest(rolconfig) AS config
                           WHERE rolname = 'analyst' AND config LIKE setting[1] || '=%')
               AND EXISTS (SELECT FROM pg_roles
                           WHERE rolname = current_user
                             AND (rolsuper OR (rolcreaterole AND setting[1] <> 'temp_file_limit'
                                  AND (version < 160000
                                       OR pg_has_role(current_user, 'analyst', 'MEMBER WITH ADMIN OPTION')))))
            THEN
                EXECUTE format('ALTER ROLE analyst SET %I = %L', setting[1], setting[2]);
            END IF;
        END LOOP;
    END IF;
END
$$
