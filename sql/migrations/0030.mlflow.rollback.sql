DELETE FROM ops.notification_channels WHERE kinds IS NOT NULL;
ALTER TABLE ops.notification_channels DROP COLUMN kinds;
