-- Every change of the tables that training reads, in order.
SELECT id, for_table, kind, path, md5, store_key, known_movies, split, kept, genre_basis
FROM ops.table_loads
ORDER BY id
