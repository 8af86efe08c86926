-- A change of a table that training reads; in the transaction that changes it, under the table's lock.
INSERT INTO ops.table_loads (for_table, kind, path, md5, store_key, known_movies, split, kept, genre_basis)
VALUES (%(for_table)s, %(kind)s, %(path)s, %(md5)s, %(store_key)s, %(known_movies)s, %(split)s, %(kept)s, %(genre_basis)s)
