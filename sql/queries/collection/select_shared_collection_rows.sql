-- Which of these rows other files refer to as well.
-- Index: idx_drive_files_rows.
SELECT DISTINCT row_id
FROM ops.drive_files other, unnest(other.loaded_rows) AS row_id
WHERE other.loaded_rows && %(rows)s::uuid[] AND other.file_id <> ALL(%(files)s::text[]) AND row_id = ANY(%(rows)s::uuid[])
