-- The size of each table with its indexes, and of the whole database in the first row. Before the first vacuum the planner
-- knows no number of rows; the server's statistics have counted them.
SELECT '(database)' AS table_name, pg_database_size(current_database()) AS bytes, NULL::bigint AS rows
UNION ALL
SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid),
       CASE WHEN c.reltuples < 0 THEN pg_stat_get_live_tuples(c.oid) ELSE c.reltuples::bigint END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'netflix', 'ops')
ORDER BY 2 DESC
