-- A content that holds no row of the people on the list.
UPDATE ops.files SET cleaned_for = %(known)s WHERE path = %(path)s AND md5 = %(md5)s
