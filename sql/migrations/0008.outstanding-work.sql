-- What is outstanding, and for which content; which content of a batch was assessed; who is training.
-- depends: 0007.computed-by

-- Everything that was asked for and is not done: a row for each piece of work, written by the sensors at every look.
-- state: running (a run is queued or under way), waiting (goes on by itself: at retry_at, or when what it needs is there),
-- given_up (only other content, a new release or a person helps), left_out (an entry of the folder that is not read).
CREATE TABLE ops.outstanding_work (
    kind VARCHAR(20) NOT NULL,
    work TEXT NOT NULL,
    content TEXT NOT NULL,
    state VARCHAR(10) NOT NULL CHECK (state IN ('running', 'waiting', 'given_up', 'left_out')),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    reason TEXT NOT NULL,
    next_step TEXT NOT NULL,
    retry_at TIMESTAMPTZ,
    since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, work)
);

-- The content that a batch's alerts and decision are about, and the one that its report shows: a batch is finished when
-- both are the loaded one.
ALTER TABLE ops.batches ADD COLUMN assessed_md5 CHAR(32);
ALTER TABLE ops.batches ADD COLUMN reported_md5 CHAR(32);
UPDATE ops.batches stored SET assessed_md5 = md5, reported_md5 = md5
WHERE EXISTS (SELECT FROM ops.retraining_decisions decision
              WHERE decision.batch_id = stored.batch_id AND decision.md5 = stored.md5 AND decision.state <> 'superseded');

-- How many movies the catalogue had when a content was refused for movies that it lacked; NULL when more would not help.
ALTER TABLE ops.files ADD COLUMN refused_at_movies BIGINT;

-- The contents that a version was fitted on, as one hash: a candidate that was rejected is not fitted on the same again.
ALTER TABLE ops.model_versions ADD COLUMN trained_on CHAR(32);

-- The version whose recommendations were published last, which may be none at all for users who have rated everything.
ALTER TABLE ops.champion ADD COLUMN recommended VARCHAR(50) REFERENCES ops.model_versions(version);
UPDATE ops.champion SET recommended = (SELECT model_version FROM recommendations LIMIT 1);

-- Work that only one process may do at a time, whichever machine it is on: who does it, and until when that holds unless
-- it is renewed. A row and not a session's lock, which a pooler in transaction mode would hand to another session.
CREATE TABLE ops.leases (
    name VARCHAR(50) PRIMARY KEY,
    holder TEXT NOT NULL,
    run_id VARCHAR(64) NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    expires_at TIMESTAMPTZ NOT NULL
);

-- Decisions were given up after three failed runs, whatever the cause; those on a content that is still in the buffer wait
-- again.
UPDATE ops.retraining_decisions decision SET state = 'waiting', outcome = NULL, settled_at = NULL
WHERE state = 'failed'
  AND EXISTS (SELECT FROM ops.batches stored
              WHERE stored.batch_id = decision.batch_id AND stored.md5 = decision.md5 AND stored.place = 'buffer');

-- As before, and a batch is in it only once it was assessed for drift, wherever its rows are.
CREATE OR REPLACE VIEW ops.training_ratings AS
SELECT learned.userId, learned.movieId, learned.rating, learned.timestamp, learned.batch_id
FROM (
    SELECT r.userId, r.movieId, r.rating, r.timestamp, r.batch_id
    FROM ratings r
    WHERE r.data_split = 'train'
      AND NOT EXISTS (SELECT FROM ops.batches replaced
                      WHERE replaced.batch_id = r.batch_id AND replaced.assessed_md5 IS DISTINCT FROM replaced.md5)
    UNION ALL
    SELECT b.userId, b.movieId, b.rating, b.timestamp, b.batch_id
    FROM ratings_buffer b
    JOIN ops.batches accepted ON accepted.batch_id = b.batch_id AND accepted.place = 'buffer'
                             AND accepted.assessed_md5 = accepted.md5
) AS learned
WHERE NOT EXISTS (SELECT FROM ratings t
                  WHERE t.data_split = 'test' AND t.userId = learned.userId AND t.movieId = learned.movieId);
