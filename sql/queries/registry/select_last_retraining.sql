-- Seconds since a version was last judged; NULL before the first.
SELECT extract(epoch FROM LOCALTIMESTAMP - max(judged_at))::float FROM ops.model_versions
