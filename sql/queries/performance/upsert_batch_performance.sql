-- The lists that a content met are those of its first assessment: later ones leave out what is rated by then. Everything
-- else is measured anew.
INSERT INTO ops.batch_performance AS known
    (batch_id, md5, rows, champion, champion_rmse, champion_mae, predecessor, predecessor_rmse, predecessor_mae,
     difference, low, high, list_version, listed_rows, listed_liked, unlisted_rows, unlisted_liked)
VALUES (%(batch_id)s, %(md5)s, %(rows)s, %(champion)s, %(champion_rmse)s, %(champion_mae)s, %(predecessor)s,
        %(predecessor_rmse)s, %(predecessor_mae)s, %(difference)s, %(low)s, %(high)s, %(list_version)s,
        %(listed_rows)s, %(listed_liked)s, %(unlisted_rows)s, %(unlisted_liked)s)
ON CONFLICT (batch_id) DO UPDATE
SET md5 = EXCLUDED.md5, measured_at = clock_timestamp(), rows = EXCLUDED.rows, champion = EXCLUDED.champion,
    champion_rmse = EXCLUDED.champion_rmse, champion_mae = EXCLUDED.champion_mae, predecessor = EXCLUDED.predecessor,
    predecessor_rmse = EXCLUDED.predecessor_rmse, predecessor_mae = EXCLUDED.predecessor_mae,
    difference = EXCLUDED.difference, low = EXCLUDED.low, high = EXCLUDED.high,
    list_version = CASE WHEN known.md5 = EXCLUDED.md5 THEN known.list_version ELSE EXCLUDED.list_version END,
    listed_rows = CASE WHEN known.md5 = EXCLUDED.md5 THEN known.listed_rows ELSE EXCLUDED.listed_rows END,
    listed_liked = CASE WHEN known.md5 = EXCLUDED.md5 THEN known.listed_liked ELSE EXCLUDED.listed_liked END,
    unlisted_rows = CASE WHEN known.md5 = EXCLUDED.md5 THEN known.unlisted_rows ELSE EXCLUDED.unlisted_rows END,
    unlisted_liked = CASE WHEN known.md5 = EXCLUDED.md5 THEN known.unlisted_liked ELSE EXCLUDED.unlisted_liked END
