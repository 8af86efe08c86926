-- The time of this transaction as binary COPY writes it: microseconds since 2000-01-01.
SELECT (extract(epoch FROM LOCALTIMESTAMP - TIMESTAMP '2000-01-01') * 1000000)::bigint
