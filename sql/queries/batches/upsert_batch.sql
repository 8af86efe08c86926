-- Which content of a batch is in the tables from now on; one that was in none is assessed anew.
INSERT INTO ops.batches (batch_id, md5, rows, place, newest_timestamp)
VALUES (%(batch_id)s, %(md5)s, %(rows)s, %(place)s, %(newest_timestamp)s)
ON CONFLICT (batch_id) DO UPDATE
SET md5 = EXCLUDED.md5, rows = EXCLUDED.rows, place = EXCLUDED.place, newest_timestamp = EXCLUDED.newest_timestamp,
    loaded_at = CURRENT_TIMESTAMP,
    assessed_md5 = CASE WHEN ops.batches.place <> 'deleted' THEN ops.batches.assessed_md5 END,
    reported_md5 = CASE WHEN ops.batches.place <> 'deleted' THEN ops.batches.reported_md5 END
