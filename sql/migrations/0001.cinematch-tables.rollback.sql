DROP TABLE drift_alerts;
DROP TABLE model_metrics;
DROP TABLE ingestion_metadata;
DROP TABLE ratings_buffer;
DROP TABLE movies;
DROP TABLE ratings;
