-- By which libraries and on which processor an artifact was computed: its bytes are the same only there. NULL for
-- versions of releases that did not record it.
-- depends: 0006.artifact-format

ALTER TABLE ops.model_versions ADD COLUMN computed_by JSONB;
