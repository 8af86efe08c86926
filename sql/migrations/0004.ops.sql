-- What only the platform needs: ledgers, quarantine, registry, decisions.
-- depends: 0003.recommendations

CREATE SCHEMA ops;

-- Every content that was landed, and what became of it. rows_read = rows_accepted + rows_rejected.
CREATE TABLE ops.files (
    path TEXT NOT NULL,
    md5 CHAR(32) NOT NULL,
    size BIGINT NOT NULL,
    store_key TEXT NOT NULL,
    landed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    state VARCHAR(20) NOT NULL DEFAULT 'landed' CHECK (state IN ('landed', 'loaded', 'refused', 'superseded')),
    rows_read BIGINT,
    rows_accepted BIGINT,
    rows_rejected BIGINT,
    finished_at TIMESTAMP,
    note TEXT,
    columns TEXT[],
    PRIMARY KEY (path, md5),
    CHECK (rows_read = rows_accepted + rows_rejected)
);

-- The quarantine: what a file held and no table took. A raw row's unprintable bytes are written as \x00.
CREATE TABLE ops.rejected_rows (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path TEXT NOT NULL,
    md5 CHAR(32) NOT NULL,
    table_name VARCHAR(50) NOT NULL,
    batch_id VARCHAR(50),
    row_number BIGINT NOT NULL,
    raw_row TEXT NOT NULL,
    reasons TEXT[] NOT NULL CHECK (cardinality(reasons) > 0),
    rejected_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    released_at TIMESTAMP
);

CREATE INDEX idx_rejected_rows_file ON ops.rejected_rows(path, md5);

-- Which content of a batch the tables hold, and where.
CREATE TABLE ops.batches (
    batch_id VARCHAR(50) PRIMARY KEY,
    md5 CHAR(32) NOT NULL,
    rows INTEGER NOT NULL,
    place VARCHAR(10) NOT NULL CHECK (place IN ('buffer', 'merged', 'deleted')),
    newest_timestamp BIGINT,
    loaded_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    merged_at TIMESTAMP,
    merged_by VARCHAR(50)
);

-- A genre basis is fitted once; features keep their meaning only as long as its version stays.
CREATE TABLE ops.genre_bases (
    version VARCHAR(64) PRIMARY KEY,
    basis JSONB NOT NULL,
    explained_variance FLOAT NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE ops.model_versions (
    version VARCHAR(50) PRIMARY KEY,
    ordinal INTEGER NOT NULL UNIQUE,
    run_id VARCHAR(64) NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    state VARCHAR(20) NOT NULL CHECK (state IN ('candidate', 'promoted', 'rejected')),
    method TEXT NOT NULL,
    config JSONB NOT NULL,
    seed BIGINT NOT NULL,
    data_size INTEGER NOT NULL,
    artifact_key TEXT NOT NULL,
    artifact_sha256 CHAR(64) NOT NULL,
    artifact_size BIGINT NOT NULL,
    metrics JSONB,
    evidence JSONB,
    judged_at TIMESTAMP,
    replaced VARCHAR(50) REFERENCES ops.model_versions(version)
);

-- The batches, and the contents of them, that a version learned from.
CREATE TABLE ops.model_batches (
    version VARCHAR(50) NOT NULL REFERENCES ops.model_versions(version) ON DELETE CASCADE,
    batch_id VARCHAR(50) NOT NULL,
    md5 CHAR(32) NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (version, batch_id)
);

-- Exactly one champion: the primary key admits one row, and promotion and rollback update it.
CREATE TABLE ops.champion (
    only_one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    version VARCHAR(50) NOT NULL REFERENCES ops.model_versions(version),
    since TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Who was champion when, and why it changed.
CREATE TABLE ops.champion_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version VARCHAR(50) NOT NULL REFERENCES ops.model_versions(version),
    former VARCHAR(50) REFERENCES ops.model_versions(version),
    changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    reason TEXT NOT NULL
);

-- The train split's counts of 0.5, 1.0, … 5.0, kept so that a verdict reads ten numbers, not the table.
CREATE TABLE ops.drift_baseline (
    only_one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    counts BIGINT[] NOT NULL CHECK (cardinality(counts) = 10),
    computed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- One decision a batch content; what became of it is written into its row.
CREATE TABLE ops.retraining_decisions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id VARCHAR(50) NOT NULL,
    md5 CHAR(32) NOT NULL,
    decided_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    due BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    evidence JSONB NOT NULL DEFAULT '{}',
    state VARCHAR(20) NOT NULL CHECK (state IN
        ('not_due', 'waiting', 'retrained', 'rejected', 'failed', 'superseded')),
    outcome TEXT,
    settled_at TIMESTAMP,
    UNIQUE (batch_id, md5)
);

-- A file of the movie collection, and how far it has come. loaded_md5 is the last content that gave rows; loaded_rows are
-- those rows in the order of the file, NULL where a movie of it never fitted.
CREATE TABLE ops.drive_files (
    file_id TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    md5 CHAR(32) NOT NULL,
    size BIGINT NOT NULL,
    state VARCHAR(20) NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'loaded', 'quarantined', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    store_key TEXT,
    loaded_md5 CHAR(32),
    loaded_rows UUID[] NOT NULL DEFAULT '{}',
    seen_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_drive_files_state ON ops.drive_files(state);
-- Who else has this movie: asked before a row is changed or removed.
CREATE INDEX idx_drive_files_rows ON ops.drive_files USING GIN(loaded_rows);

-- The one source of training rows. A (user, movie) pair of the test split is never in it, whichever table holds the row
-- and however it came there; a batch is in it only with the content that was accepted.
CREATE VIEW ops.training_ratings AS
SELECT learned.userId, learned.movieId, learned.rating, learned.timestamp, learned.batch_id
FROM (
    SELECT r.userId, r.movieId, r.rating, r.timestamp, r.batch_id
    FROM ratings r
    WHERE r.data_split = 'train'
    UNION ALL
    SELECT b.userId, b.movieId, b.rating, b.timestamp, b.batch_id
    FROM ratings_buffer b
    JOIN ops.batches accepted ON accepted.batch_id = b.batch_id AND accepted.place = 'buffer'
) AS learned
WHERE NOT EXISTS (SELECT FROM ratings t
                  WHERE t.data_split = 'test' AND t.userId = learned.userId AND t.movieId = learned.movieId);
