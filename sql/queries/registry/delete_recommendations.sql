-- The lists of the former champion.
DELETE FROM recommendations
