-- Rows read = accepted + rejected, before and after.
UPDATE ops.files SET rows_accepted = rows_accepted + %(rows)s, rows_rejected = rows_rejected - %(rows)s
WHERE path = %(path)s AND md5 = %(md5)s
