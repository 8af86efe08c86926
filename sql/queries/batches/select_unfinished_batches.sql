-- Batches whose loaded content was not assessed yet, or of which there is no report.
SELECT batch_id, md5, assessed_md5 IS NOT DISTINCT FROM md5 AS is_assessed,
       loaded_at AT TIME ZONE current_setting('TimeZone') AS loaded_at
FROM ops.batches
WHERE place <> 'deleted' AND (assessed_md5 IS DISTINCT FROM md5 OR reported_md5 IS DISTINCT FROM md5)
ORDER BY batch_id
