ALTER TABLE ops.model_versions DROP COLUMN computed_by;
