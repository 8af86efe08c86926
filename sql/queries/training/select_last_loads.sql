-- The last load of each table that training reads.
SELECT for_table, max(id) FROM ops.table_loads GROUP BY for_table ORDER BY for_table
