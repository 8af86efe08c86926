-- The rejected rows of a content, released ones too.
SELECT id, raw_row FROM ops.rejected_rows WHERE path = %(path)s AND md5 = %(md5)s ORDER BY id
