-- All contents that a model would be trained on now, as one hash: it changes when a table, or an assessed batch, does.
SELECT md5(COALESCE(string_agg(content, E'\n' ORDER BY content COLLATE "C"), ''))
FROM (SELECT concat_ws(' ', path, md5, rows_accepted) AS content
      FROM ops.files WHERE state = 'loaded' AND NOT starts_with(path, 'batches/')
      UNION ALL
      SELECT concat_ws(' ', 'batch', batch_id, md5, rows)
      FROM ops.batches WHERE place <> 'deleted' AND assessed_md5 = md5) AS loaded
