-- Seconds since a version was last promoted or rejected; NULL before the first.
SELECT extract(epoch FROM LOCALTIMESTAMP - max(judged_at))::float FROM ops.model_versions
