-- The size of the whole database in bytes.
SELECT pg_database_size(current_database())
