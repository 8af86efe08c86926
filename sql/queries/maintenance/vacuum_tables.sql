-- The weekly round, a statement at a time because VACUUM takes no company. The last is ours: every promotion
-- rewrites that table.
VACUUM ANALYZE ratings;
VACUUM ANALYZE ratings_buffer;
VACUUM ANALYZE movies;
VACUUM ANALYZE recommendations;
