-- Whether the user may vacuum: from Postgres 17 on it is a right like others, before that the owner's alone.
SELECT CASE WHEN current_setting('server_version_num')::int >= 170000 THEN has_table_privilege(oid, 'MAINTAIN')
            ELSE pg_has_role(relowner, 'USAGE') END
FROM pg_class
WHERE oid = 'ratings'::regclass
