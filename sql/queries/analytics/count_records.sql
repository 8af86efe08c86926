-- How many rows each of the six tables has.
SELECT
    'ratings' AS table_name,
    COUNT(*) AS records
FROM ratings
UNION ALL
SELECT 'ratings_buffer', COUNT(*) FROM ratings_buffer
UNION ALL
SELECT 'movies', COUNT(*) FROM movies
UNION ALL
SELECT 'ingestion_metadata', COUNT(*) FROM ingestion_metadata
UNION ALL
SELECT 'model_metrics', COUNT(*) FROM model_metrics
UNION ALL
SELECT 'drift_alerts', COUNT(*) FROM drift_alerts
ORDER BY records DESC
