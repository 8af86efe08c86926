-- A content that is read again is validated again.
DELETE FROM ops.rejected_rows WHERE path = %(path)s AND md5 = %(md5)s
