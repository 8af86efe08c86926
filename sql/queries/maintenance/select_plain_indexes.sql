-- The indexes of a table that no constraint needs, each with the statement that builds it.
SELECT index.indexrelid::regclass::text AS name, pg_get_indexdef(index.indexrelid) AS definition
FROM pg_index index
LEFT JOIN pg_constraint owner ON owner.conindid = index.indexrelid
WHERE index.indrelid = %(table)s::regclass AND owner.oid IS NULL
ORDER BY index.indexrelid
