-- Keys of the store that are still needed: contents that are or may be loaded (again), candidates, versions that await
-- approval, and promoted models with their recommendations.
SELECT store_key FROM ops.files WHERE state IN ('landed', 'loaded', 'refused', 'removed')
UNION
SELECT artifact_key FROM ops.model_versions WHERE state IN ('candidate', 'awaiting_approval', 'promoted')
UNION
SELECT 'recommendations/' || version || '.parquet' FROM ops.model_versions WHERE state = 'promoted'
UNION
SELECT store_key FROM ops.drive_files WHERE store_key IS NOT NULL
