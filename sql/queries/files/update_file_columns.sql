-- The columns in a file's own order.
UPDATE ops.files SET columns = %(columns)s WHERE path = %(path)s AND md5 = %(md5)s
