"""What people are told: the outbox ``ops.notifications``.

Here: recording a fact, in the transaction that makes it one, and reading the newest. Not here: which facts there are
(the functions that write them), what a channel was sent
(``notification_messages``), sending (``messaging``).
"""

from collections.abc import Sequence

import psycopg
from psycopg.rows import class_row

from cinematch_assets.values import Notification, NotificationKind
from cinematch_assets.warehouse.statements import statement

MAX_SUBJECT_LENGTH = 200
MAX_BODY_LENGTH = 2_000
_CELLS = " (found: "
"""What follows it in the refusal of a file without a header are the cells of its first line, which may be a rating."""


def record_notification(
    connection: psycopg.Connection,
    kind: NotificationKind,
    subject: str,
    body: str,
    *,
    next_step: str = "",
    about: str | None = None,
) -> bool:
    """Record a fact for people; return whether it is new. Call it in the transaction that writes the fact.

    Args:
        connection: in the transaction of the fact; outside of one the row stands for itself.
        kind: what sort of fact.
        subject: the fact in a few words, plain text of one line.
        body: the reason or evidence, plain text without secrets and without the ratings of a user.
        next_step: what a person can do, or what happens by itself; empty when there is nothing to do.
        about: names what the fact is about, as ``about_work`` does: while that lasts it is told once. None for a fact
            that cannot happen twice.
    """
    values = {
        "kind": kind,
        "subject": " ".join(_plain(subject).split())[:MAX_SUBJECT_LENGTH],
        "body": _plain(body)[:MAX_BODY_LENGTH],
        "next_step": _plain(next_step)[:MAX_BODY_LENGTH],
        "about": None if about is None else _plain(about),
    }
    return connection.execute(statement("notifications/insert_notification"), values).rowcount == 1


def settle_notifications(connection: psycopg.Connection, abouts: Sequence[str]) -> None:
    """Record that what notifications are about has ended: if it comes again, people are told again."""
    if abouts:
        connection.execute(
            statement("notifications/settle_notifications"), {"abouts": [_plain(about) for about in abouts]}
        )


def about_work(kind: str, work: str, content: str) -> str:
    """Name a piece of work with its content, for ``about``: who refuses a file and who gives it up tell it once."""
    return f"{kind} {work} {content}"


def list_notifications(connection: psycopg.Connection, limit: int = 50) -> list[Notification]:
    """Return what people were told last, newest first, whether or not a channel took it."""
    with connection.cursor(row_factory=class_row(Notification)) as cursor:
        return cursor.execute(statement("notifications/select_notifications"), {"limit": limit}).fetchall()


def delete_old_notifications(connection: psycopg.Connection, days: int) -> int:
    """Delete what was recorded more than ``days`` ago, with its messages, sent or not; return how many."""
    with connection.transaction():
        deleted = connection.execute(statement("notifications/delete_old_notifications"), {"days": days}).rowcount
        connection.execute(statement("notifications/delete_empty_messages"))
    return deleted


def without_cells(reason: str) -> str:
    """Return the reason of a refusal without the cells of the file that it quotes."""
    return reason.partition(_CELLS)[0]


def _plain(text: str) -> str:
    return text.replace("\x00", "")
