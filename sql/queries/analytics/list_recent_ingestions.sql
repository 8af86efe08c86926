-- Batches of the last seven days, and how they went.
SELECT batch_id, ingestion_date, record_count, status
FROM ingestion_metadata
WHERE ingestion_date > NOW() - INTERVAL '7 days'
ORDER BY ingestion_date DESC
