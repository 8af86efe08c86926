-- Accepted ratings in the buffer: those that no champion was trained on.
SELECT COALESCE(sum(rows), 0)::bigint FROM ops.batches WHERE place = 'buffer'
