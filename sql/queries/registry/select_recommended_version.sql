-- The version whose recommendations were published last; they may be no rows.
SELECT recommended FROM ops.champion WHERE recommended IS NOT NULL
