-- What loads and assessments need first: a catalogue, a baseline, a champion, and whether a first model is on its way.
SELECT (SELECT count(*) FROM movies) AS movies,
       EXISTS (SELECT FROM ops.drift_baseline, unnest(counts) AS count WHERE count > 0) AS has_baseline,
       EXISTS (SELECT FROM ops.champion) AS has_champion,
       EXISTS (SELECT FROM ops.outstanding_work WHERE kind = 'model' AND state <> 'given_up') AS expects_model
