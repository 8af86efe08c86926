-- The outcome of a content; once it is loaded, the former contents of its table are superseded.
WITH former AS (
    UPDATE ops.files SET state = 'superseded'
    WHERE for_table = %(table)s AND (path, md5) <> (%(path)s, %(md5)s) AND state = 'loaded' AND %(state)s = 'loaded'
)
UPDATE ops.files
SET state = %(state)s, rows_read = %(rows_read)s, rows_accepted = %(rows_accepted)s,
    rows_rejected = %(rows_rejected)s, finished_at = clock_timestamp(), note = %(note)s,
    refused_at_movies = %(refused_at_movies)s
WHERE path = %(path)s AND md5 = %(md5)s
