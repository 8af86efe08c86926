-- Whose lists the table holds.
SELECT model_version FROM recommendations LIMIT 1
