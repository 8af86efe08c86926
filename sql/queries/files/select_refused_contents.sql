-- Contents that were refused, with the reason, and whether more movies may help.
SELECT path, md5, COALESCE(note, 'refused') AS note, refused_at_movies IS NOT NULL AS lacked_movies
FROM ops.files
WHERE state = 'refused'
