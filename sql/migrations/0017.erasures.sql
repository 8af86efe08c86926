-- People who were erased: whom no load brings back, what each erasure did, and which versions are gone with them.

-- depends: 0016.audit

-- One row an erasure: its certificate once it is finished. Steps that are done, with their counts; nothing about a person.
CREATE TABLE ops.erasures (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    requested_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    requested_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    people INTEGER NOT NULL CHECK (people > 0),
    steps JSONB NOT NULL DEFAULT '{}',
    champion VARCHAR(50) REFERENCES ops.model_versions(version),
    artifact_sha256 CHAR(64),
    rebuilt_sha256 CHAR(64),
    finished_at TIMESTAMPTZ
);

-- A hash of the user's number under a key that is in the store and not in the database: without it 2^31 numbers are tried
-- in minutes. The few rows stay for good: they are what keeps people out.
CREATE TABLE ops.suppressed_users (
    hash CHAR(64) PRIMARY KEY,
    erasure BIGINT NOT NULL REFERENCES ops.erasures(id),
    key_fingerprint CHAR(16) NOT NULL
);

-- What is in the store of a content from which people were left out; NULL while it is what was dropped. cleaned_for: how many
-- people were on the list when it was last looked through.
ALTER TABLE ops.files
    ADD COLUMN stored_md5 CHAR(32),
    ADD COLUMN stored_size BIGINT,
    ADD COLUMN cleaned_for BIGINT NOT NULL DEFAULT 0;

-- The erasure with which a version's artifact and recommendations were deleted: it can never become champion again.
ALTER TABLE ops.model_versions ADD COLUMN erased_by BIGINT REFERENCES ops.erasures(id);
