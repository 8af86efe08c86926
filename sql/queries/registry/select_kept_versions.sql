-- Versions that can be rebuilt: the champion, those that were champion in the last days, and those registered or decided on
-- since then.
SELECT v.version, v.trained_from
FROM ops.model_versions v
WHERE v.trained_from IS NOT NULL
  AND (greatest(v.created_at, v.judged_at) > LOCALTIMESTAMP - make_interval(days => %(days)s)
       OR EXISTS (SELECT FROM ops.champion serving WHERE serving.version = v.version)
       OR EXISTS (SELECT FROM ops.champion_changes change
                  WHERE v.version IN (change.version, change.former)
                    AND change.changed_at > LOCALTIMESTAMP - make_interval(days => %(days)s)))
ORDER BY v.ordinal
