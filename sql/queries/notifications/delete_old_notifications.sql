-- Notifications older than that, and with them their deliveries.
DELETE FROM ops.notifications WHERE recorded_at < clock_timestamp() - make_interval(days => %(days)s)
