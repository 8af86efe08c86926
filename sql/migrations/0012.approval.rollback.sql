ALTER TABLE ops.model_versions DROP COLUMN expires_at;
UPDATE ops.model_versions SET state = 'rejected' WHERE state = 'awaiting_approval';
ALTER TABLE ops.model_versions DROP CONSTRAINT model_versions_state_check;
ALTER TABLE ops.model_versions ADD CONSTRAINT model_versions_state_check
    CHECK (state IN ('candidate', 'promoted', 'rejected'));
