-- How many people are kept out; the list only grows.
SELECT count(*) FROM ops.suppressed_users
