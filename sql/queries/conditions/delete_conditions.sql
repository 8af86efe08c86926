-- Conditions that hold no more.
DELETE FROM ops.conditions WHERE name = ANY(%(names)s)
