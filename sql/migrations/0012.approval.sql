-- A version that passed the gate can wait for a person (CINEMATCH_PROMOTION=approve), until it expires.
-- depends: 0015.batch-performance

ALTER TABLE ops.model_versions DROP CONSTRAINT model_versions_state_check;
ALTER TABLE ops.model_versions ADD CONSTRAINT model_versions_state_check
    CHECK (state IN ('candidate', 'awaiting_approval', 'promoted', 'rejected'));
ALTER TABLE ops.model_versions ADD COLUMN expires_at TIMESTAMPTZ;
