-- Accepted ratings that wait in the buffer: those that no champion has learned from.
SELECT COALESCE(sum(rows), 0)::bigint FROM ops.batches WHERE place = 'buffer'
