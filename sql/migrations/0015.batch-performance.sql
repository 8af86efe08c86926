-- How the champion and its predecessor did on each batch, before either learned from it, and what became of the lists.
-- depends: 0018.table-loads

-- A row a batch, for its newest content. low and high bound the relative difference of the champion's RMSE to its
-- predecessor's, paired over users: above zero the champion is shown worse. Listed rows are of movies that were in the
-- user's published list; unlisted ones are other rows of users who had a list. NULL where there was none to measure.
CREATE TABLE ops.batch_performance (
    batch_id VARCHAR(50) PRIMARY KEY,
    md5 CHAR(32) NOT NULL,
    ordinal BIGINT GENERATED ALWAYS AS IDENTITY,
    measured_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    rows INTEGER NOT NULL,
    champion VARCHAR(50) NOT NULL,
    champion_rmse FLOAT NOT NULL,
    champion_mae FLOAT NOT NULL,
    predecessor VARCHAR(50),
    predecessor_rmse FLOAT,
    predecessor_mae FLOAT,
    difference FLOAT,
    low FLOAT,
    high FLOAT,
    list_version VARCHAR(50),
    listed_rows INTEGER,
    listed_liked INTEGER,
    unlisted_rows INTEGER,
    unlisted_liked INTEGER
);
