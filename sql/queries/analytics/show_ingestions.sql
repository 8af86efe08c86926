-- Every batch that ever came, the newest first.
SELECT * FROM ingestion_metadata ORDER BY ingestion_date DESC
