-- When the published lists were published last: the age of the lists. NULL where it was not recorded.
-- depends: 0021.removed-batches

ALTER TABLE ops.champion ADD COLUMN recommended_at TIMESTAMPTZ;
