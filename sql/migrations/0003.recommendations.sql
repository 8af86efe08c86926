-- The champion's top-N per user; score is what the list is ordered by.
-- depends: 0002.netflix-movies

CREATE TABLE recommendations (
    userId INTEGER NOT NULL,
    rank SMALLINT NOT NULL CHECK (rank >= 1),
    movieId INTEGER NOT NULL,
    score REAL NOT NULL,
    model_version VARCHAR(50) NOT NULL,
    PRIMARY KEY (userId, rank)
);
