-- The version whose recommendations are in the table.
SELECT model_version FROM recommendations LIMIT 1
