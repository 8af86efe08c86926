-- Promotion and rollback are this one row.
INSERT INTO ops.champion (version) VALUES (%(version)s)
ON CONFLICT (only_one) DO UPDATE SET version = EXCLUDED.version, since = CURRENT_TIMESTAMP
