-- The six CineMatch tables and their indexes, as the schema reference (version 1.0) writes them.
-- Added for the platform: ratings.batch_id (a merged batch can be found again), and on drift_alerts the batch
-- and the row counts an alert speaks of.
-- depends:

CREATE TABLE ratings (
    userId INTEGER NOT NULL,
    movieId INTEGER NOT NULL,
    rating FLOAT NOT NULL CHECK (rating >= 0.5 AND rating <= 5.0),
    timestamp BIGINT NOT NULL,
    data_split VARCHAR(10) NOT NULL CHECK (data_split IN ('train', 'test')),
    loaded_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    batch_id VARCHAR(50)
);

CREATE INDEX idx_ratings_user ON ratings(userId);
CREATE INDEX idx_ratings_movie ON ratings(movieId);
CREATE INDEX idx_ratings_split ON ratings(data_split);
CREATE INDEX idx_ratings_timestamp ON ratings(timestamp);
-- Only merged rows are in it, so loading the ratings file does not pay for it.
CREATE INDEX idx_ratings_batch ON ratings(batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE movies (
    movieId INTEGER PRIMARY KEY,
    title VARCHAR(500) NOT NULL,
    genres VARCHAR(200),
    pca_features JSONB
);

CREATE INDEX idx_movies_title ON movies(title);
CREATE INDEX idx_movies_genres ON movies USING GIN(to_tsvector('english', genres));

CREATE TABLE ratings_buffer (
    userId INTEGER NOT NULL,
    movieId INTEGER NOT NULL,
    rating FLOAT NOT NULL CHECK (rating >= 0.5 AND rating <= 5.0),
    timestamp BIGINT NOT NULL,
    batch_id VARCHAR(50),
    ingested_at TIMESTAMP
);

CREATE INDEX idx_buffer_batch ON ratings_buffer(batch_id);
CREATE INDEX idx_buffer_ingested ON ratings_buffer(ingested_at);
CREATE INDEX idx_buffer_timestamp ON ratings_buffer(timestamp);

CREATE TABLE ingestion_metadata (
    id SERIAL PRIMARY KEY,
    batch_id VARCHAR(50) UNIQUE NOT NULL,
    ingestion_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    record_count INTEGER,
    status VARCHAR(20),
    notes TEXT
);

CREATE TABLE model_metrics (
    id SERIAL PRIMARY KEY,
    model_version VARCHAR(50) NOT NULL,
    training_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    rmse FLOAT,
    mae FLOAT,
    precision_at_10 FLOAT,
    data_size INTEGER,
    notes TEXT
);

CREATE TABLE drift_alerts (
    id SERIAL PRIMARY KEY,
    alert_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    feature_name VARCHAR(100),
    drift_score FLOAT,
    threshold FLOAT,
    alert_triggered BOOLEAN,
    notes TEXT,
    batch_id VARCHAR(50),
    baseline_rows INTEGER,
    batch_rows INTEGER
);

CREATE INDEX idx_drift_alerts_batch ON drift_alerts(batch_id);
