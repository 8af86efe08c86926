-- Loads of a landed content whose object another one, without the rows of people, is about to replace.
UPDATE ops.table_loads SET store_key = %(store_key)s, md5 = %(stored_md5)s
WHERE store_key = (SELECT store_key FROM ops.files WHERE path = %(path)s AND md5 = %(md5)s) AND kind = 'content'
