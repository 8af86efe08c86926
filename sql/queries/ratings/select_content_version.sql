-- The contents that table ratings holds, as one hash: those of the file, and of the batches that were merged.
SELECT md5(COALESCE(string_agg(content, E'\n' ORDER BY content COLLATE "C"), ''))
FROM (SELECT concat_ws(' ', path, md5, rows_accepted) AS content
      FROM ops.files WHERE state = 'loaded' AND for_table = 'ratings'
      UNION ALL
      SELECT concat_ws(' ', 'batch', batch_id, md5, rows)
      FROM ops.batches WHERE place = 'merged') AS held
