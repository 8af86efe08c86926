-- Paths whose newest content was refused, the newest first.
SELECT path, note FROM (
    SELECT DISTINCT ON (for_table) path, state, note, landing FROM ops.files ORDER BY for_table, landing DESC
) AS newest
WHERE state = 'refused'
ORDER BY landing DESC
