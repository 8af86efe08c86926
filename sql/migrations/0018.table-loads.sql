-- What a version was trained on, in a form that it can be rebuilt from: every change of the tables that training reads.
-- depends: 0017.erasures

-- A content that was loaded, rejected rows that were released (their texts are an object of the store too), or genre
-- features that were written. Loads of one table are in the order of their ids: each is written under the table's lock.
-- known_movies: the last load of movies that the rows were checked against, or whose movies got features. kept: movies of
-- the table that the file did not have. Rows that no kept version was trained on are deleted by maintenance.
CREATE TABLE ops.table_loads (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    for_table TEXT NOT NULL,
    kind VARCHAR(10) NOT NULL CHECK (kind IN ('content', 'released', 'features')),
    path TEXT,
    md5 CHAR(32),
    store_key TEXT,
    known_movies BIGINT,
    split VARCHAR(10),
    kept BIGINT,
    genre_basis VARCHAR(64) REFERENCES ops.genre_bases(version),
    loaded_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind = 'features') = (store_key IS NULL)),
    CHECK ((kind = 'features') = (genre_basis IS NOT NULL))
);

-- Loads of former releases, as far as the ledger has them; which movies the rows were checked against is not on record.
INSERT INTO ops.table_loads (for_table, kind, path, md5, store_key)
SELECT for_table, 'content', path, md5, store_key
FROM ops.files
WHERE state = 'loaded' OR (state = 'superseded' AND for_table = 'movies')
ORDER BY finished_at, landing;
INSERT INTO ops.table_loads (for_table, kind, known_movies, genre_basis)
SELECT 'movies', 'features', (SELECT max(id) FROM ops.table_loads WHERE for_table = 'movies'), version
FROM ops.genre_bases
WHERE EXISTS (SELECT FROM movies WHERE pca_features IS NOT NULL)
ORDER BY ordinal DESC
LIMIT 1;

-- The last load of each table that a version was trained on, the rows of each, and hashes of what they amount to. NULL for
-- versions of releases that did not record it.
ALTER TABLE ops.model_versions ADD COLUMN trained_from JSONB;
