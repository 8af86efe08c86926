-- All outstanding work: what needs a person first, then what waits, then what runs.
SELECT kind, work, content, state, attempts, reason, next_step, retry_at, since
FROM ops.outstanding_work
ORDER BY array_position(ARRAY['given_up', 'left_out', 'waiting', 'running'], state::text), since, kind, work
