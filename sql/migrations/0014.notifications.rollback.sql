DROP TABLE ops.conditions;
DROP TABLE ops.notification_deliveries;
DROP TABLE ops.notification_messages;
DROP TABLE ops.notification_channels;
DROP TABLE ops.notifications;
