-- What people are told, what each channel has been sent, and which conditions hold that no run would notice.
-- depends: 0008.outstanding-work 0010.landing-order 0013.recommendations-because

-- The outbox: written in the transaction of the fact, so that there is one without the other in no case. about names what
-- the fact is about while that lasts: the same is told once, and again only after it had ended; NULL when it has ended, or
-- for a fact that happens once.
CREATE TABLE ops.notifications (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind VARCHAR(30) NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    next_step TEXT NOT NULL DEFAULT '',
    about TEXT,
    recorded_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX idx_notifications_about ON ops.notifications(about) WHERE about IS NOT NULL;

-- A channel of CINEMATCH_NOTIFY, by a slow hash of its URL, which may hold a password. It is sent what was recorded since.
CREATE TABLE ops.notification_channels (
    channel CHAR(32) PRIMARY KEY,
    label TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL
);

-- A message to one channel, with one notification or several. The process that sends it claims it first: claimed_until
-- is when another may try. A channel has at most one that is not sent; what comes meanwhile is in the next.
CREATE TABLE ops.notification_messages (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    channel CHAR(32) NOT NULL REFERENCES ops.notification_channels(channel) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    attempts INTEGER NOT NULL DEFAULT 0,
    claimed_until TIMESTAMPTZ,
    retry_at TIMESTAMPTZ,
    sent_at TIMESTAMPTZ,
    fault TEXT
);
CREATE UNIQUE INDEX idx_notification_messages_unsent ON ops.notification_messages(channel) WHERE sent_at IS NULL;
CREATE INDEX idx_notification_messages_sent ON ops.notification_messages(channel, sent_at);

-- Which message carries a notification to a channel; the key admits one.
CREATE TABLE ops.notification_deliveries (
    notification_id BIGINT NOT NULL REFERENCES ops.notifications(id) ON DELETE CASCADE,
    channel CHAR(32) NOT NULL,
    message_id UUID NOT NULL REFERENCES ops.notification_messages(id) ON DELETE CASCADE,
    PRIMARY KEY (notification_id, channel)
);
CREATE INDEX idx_notification_deliveries_message ON ops.notification_deliveries(message_id);

-- What needs a person and is no work that was asked for: a late batch, a full database, a sensor without a tick.
CREATE TABLE ops.conditions (
    name TEXT PRIMARY KEY,
    kind VARCHAR(30) NOT NULL,
    reason TEXT NOT NULL,
    next_step TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL
);
