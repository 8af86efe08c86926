-- Every user number in a table.
SELECT userId FROM ratings UNION SELECT userId FROM ratings_buffer UNION SELECT userId FROM recommendations
