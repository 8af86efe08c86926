-- The one champion's version.
SELECT version FROM ops.champion
