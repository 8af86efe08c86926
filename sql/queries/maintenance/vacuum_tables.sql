-- The weekly maintenance. Statements run one at a time, because VACUUM allows no transaction. The last is ours: every
-- promotion rewrites that table.
VACUUM ANALYZE ratings;
VACUUM ANALYZE ratings_buffer;
VACUUM ANALYZE movies;
VACUUM ANALYZE recommendations;
