-- MLflow is a channel of the outbox that takes facts about model versions alone.
-- depends: 0029.lists-published

-- Kinds of notifications that a channel takes; NULL for all. A channel with kinds is an export: its first message carries
-- nothing and asks for the whole registry.
ALTER TABLE ops.notification_channels ADD COLUMN kinds TEXT[];
