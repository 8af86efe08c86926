-- Ratings that came in batches, those of failed ones left out.
SELECT SUM(record_count) AS total_ingested
FROM ingestion_metadata
WHERE status = 'completed'
