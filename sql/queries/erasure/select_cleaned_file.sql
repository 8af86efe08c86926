-- The stored object of a content that was looked through for all people on the list.
SELECT store_key, COALESCE(stored_md5, md5), COALESCE(stored_size, size) FROM ops.files
WHERE path = %(path)s AND md5 = %(md5)s AND cleaned_for = %(known)s
