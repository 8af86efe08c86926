-- A content that a person removed stays in the ledger as removed: it is not loaded again until a person restores it.
-- depends: 0012.approval

ALTER TABLE ops.files
    DROP CONSTRAINT files_state_check,
    ADD CONSTRAINT files_state_check CHECK (state IN ('landed', 'loaded', 'refused', 'superseded', 'removed'));
