ALTER TABLE ops.champion DROP COLUMN recommended_at;
