-- Train rows of ratings, by the ten counts that every load and merge keeps, and the most rows that a model which was
-- decided on had: a candidate that is not counts for nothing, since its run may have been killed.
SELECT
    coalesce((SELECT sum(n) FROM ops.drift_baseline, unnest(counts) AS n), 0)::BIGINT,
    coalesce((SELECT max(data_size) FROM ops.model_versions WHERE state <> 'candidate'), 0)::BIGINT
