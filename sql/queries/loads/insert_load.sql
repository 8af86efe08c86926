-- A change of a table that training reads; in the transaction that changes it, under the table's lock. The md5 is that of the
-- object, which lacks rows of a dropped content when people are kept out of it.
INSERT INTO ops.table_loads (for_table, kind, path, md5, store_key, known_movies, split, kept, genre_basis)
VALUES (%(for_table)s, %(kind)s, %(path)s,
        coalesce((SELECT stored_md5 FROM ops.files WHERE path = %(path)s AND store_key = %(store_key)s LIMIT 1), %(md5)s),
        %(store_key)s, %(known_movies)s, %(split)s, %(kept)s, %(genre_basis)s)
