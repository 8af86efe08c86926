-- Files of the movie collection by state.
SELECT state, count(*) FROM ops.drive_files GROUP BY state ORDER BY state
