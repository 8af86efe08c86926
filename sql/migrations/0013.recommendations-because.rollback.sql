ALTER TABLE recommendations DROP COLUMN because;
