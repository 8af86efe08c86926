-- In which format a version's artifact is, so that it is known without reading one. What is there, and what an older
-- release still writes, does not say: that is format 1.
-- depends: 0005.roles

ALTER TABLE ops.model_versions ADD COLUMN artifact_format INTEGER NOT NULL DEFAULT 1;
