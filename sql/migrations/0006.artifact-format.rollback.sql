ALTER TABLE ops.model_versions DROP COLUMN artifact_format;
