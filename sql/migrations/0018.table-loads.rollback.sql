ALTER TABLE ops.model_versions DROP COLUMN trained_from;
DROP TABLE ops.table_loads;
