-- The recommendations of the former champion.
DELETE FROM recommendations
