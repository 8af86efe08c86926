-- A content that holds no row of the people on the list; changes nothing where that is known.
UPDATE ops.files SET cleaned_for = %(known)s WHERE path = %(path)s AND md5 = %(md5)s AND cleaned_for <> %(known)s
