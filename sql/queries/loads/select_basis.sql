-- A genre basis by its version.
SELECT basis FROM ops.genre_bases WHERE version = %(version)s
