"""What each channel was sent: messages with their deliveries, each claimed before it is sent.

Here: claiming the next message of a channel, and its outcome. Not here: recording facts (``notifications``), sending
(``messaging.channels``). Decision 24 says what a kill at each point leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.values import Notification, NotificationKind
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, statement

LEASE_S = 300.0
"""How long a claim holds: longer than a channel's timeouts, so that two never send one message at a time."""
PAUSE_S = 60.0
"""After a message the next waits this long, so that what comes at once is one message."""


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message that the caller has to send now; the ``attempts`` include this one."""

    id: str
    attempts: int
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What a channel was not sent yet; since when and why it takes nothing, None and empty when it does."""

    channel: str
    label: str
    waiting: int
    waiting_since: datetime | None
    """When the oldest of them was recorded."""
    failing_since: datetime | None
    attempts: int | None
    fault: str | None


def register_channel(
    connection: psycopg.Connection, channel: str, label: str, kinds: Sequence[NotificationKind] | None = None
) -> None:
    """Make a channel known; one that is new is sent what happened since a day before.

    With ``kinds`` it takes no others, and is an export of what they are about: its first message is due at once and
    asks for everything there is.
    """
    values = {"channel": channel, "label": label, "kinds": None if kinds is None else list(kinds)}
    if kinds is None:
        connection.execute(statement("notifications/upsert_channel"), values)
        return
    with connection.transaction():
        if connection.execute(statement("notifications/upsert_channel"), values).fetchone() == (True,):
            request_export(connection, channel)


def request_export(connection: psycopg.Connection, channel: str) -> None:
    """Have an export brought up to date now, whether or not something changed and however long it was to wait."""
    connection.execute(statement("notifications/request_export"), {"channel": channel})


def claim_message(
    connection: psycopg.Connection, channel: str, *, lease_s: float = LEASE_S, pause_s: float = PAUSE_S
) -> ClaimedMessage | None:
    """Claim the message that a channel is to be sent now; None when there is none, or another process sends it.

    A message that was not taken comes before newer notifications, and keeps its id and its content.

    Args:
        connection: autocommit; the transaction is opened here.
        channel: its key.
        lease_s: how long no other process may send it.
        pause_s: how long after the last message the next one is held back.
    """
    with connection.transaction():
        lock(connection, f"channel:{channel}")
        unsent = connection.execute(statement("notifications/select_unsent_message"), {"channel": channel}).fetchone()
        if unsent is None:
            if scalar(connection, "notifications/select_message_pause", channel=channel, pause_s=pause_s):
                return None
            made = connection.execute(statement("notifications/insert_message"), {"channel": channel}).fetchone()
            if made is None:
                return None
            message, attempts = made[0], 0
        else:
            message, attempts, is_due = unsent
            if not is_due:
                return None
        connection.execute(statement("notifications/claim_message"), {"id": message, "seconds": lease_s})
        with connection.cursor(row_factory=class_row(Notification)) as cursor:
            carried = cursor.execute(
                statement("notifications/select_message_notifications"), {"id": message}
            ).fetchall()
    return ClaimedMessage(str(message), attempts + 1, tuple(carried))


def finish_message(connection: psycopg.Connection, message: str) -> None:
    """Record that the channel took a message."""
    connection.execute(statement("notifications/finish_message"), {"id": message})


def release_message(connection: psycopg.Connection, message: str) -> None:
    """Record that a part of a message was taken: the rest is due at once, without a fault."""
    connection.execute(statement("notifications/release_message"), {"id": message})


def postpone_message(connection: psycopg.Connection, message: str, fault: str, gap_s: float) -> None:
    """Record why a channel did not take a message; it is tried again after ``gap_s`` seconds."""
    values = {"id": message, "fault": fault, "gap_s": gap_s}
    connection.execute(statement("notifications/postpone_message"), values)


def list_channel_states(connection: psycopg.Connection, channels: Sequence[str]) -> list[ChannelState]:
    """Return the state of these channels, as far as they were registered."""
    with connection.cursor(row_factory=class_row(ChannelState)) as cursor:
        return cursor.execute(statement("notifications/select_channel_states"), {"channels": list(channels)}).fetchall()
