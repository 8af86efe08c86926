-- Conditions that hold, as they were recorded last.
SELECT name, kind, reason, next_step, since FROM ops.conditions ORDER BY since, name
