-- A content without the rows of people: its object, and its counts unless they were those of a refusal.
UPDATE ops.files
SET store_key = %(store_key)s, stored_md5 = %(stored_md5)s, stored_size = %(stored_size)s, cleaned_for = %(known)s,
    rows_read = CASE WHEN state <> 'refused' THEN rows_read - %(removed)s END,
    rows_rejected = CASE WHEN state <> 'refused' THEN rows_rejected - %(removed_rejected)s END,
    rows_accepted = CASE WHEN state <> 'refused' THEN rows_accepted - (%(removed)s - %(removed_rejected)s) END
WHERE path = %(path)s AND md5 = %(md5)s
