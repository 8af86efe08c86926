-- Loads of an object that another one, without the rows of people, has replaced.
UPDATE ops.table_loads SET store_key = %(store_key)s, md5 = %(md5)s WHERE store_key = %(former)s
