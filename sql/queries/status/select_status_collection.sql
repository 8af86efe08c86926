-- How far the movie collection has come.
SELECT state, count(*) FROM ops.drive_files GROUP BY state ORDER BY state
