-- As loaded they are not loaded again either: ops.batches has their content.
UPDATE ops.files SET state = 'loaded' WHERE state = 'removed';
ALTER TABLE ops.files
    DROP CONSTRAINT files_state_check,
    ADD CONSTRAINT files_state_check CHECK (state IN ('landed', 'loaded', 'refused', 'superseded'));
