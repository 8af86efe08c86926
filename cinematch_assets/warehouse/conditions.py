"""Conditions that need a person and are no work that was asked for: table ``ops.conditions``.

Here: what they are found from in the warehouse, and recording them, with a notification for each that is new. Not here:
which conditions there are (``pipeline.attention``).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.values import Condition
from cinematch_assets.warehouse.notifications import record_notification, settle_notifications
from cinematch_assets.warehouse.statements import single_row, statement


@dataclass(frozen=True, slots=True)
class Freshness:
    """Ages and size; None before the first batch, and while the champion's lists are the published ones."""

    newest_batch_at: datetime | None
    lists_stale_since: datetime | None
    used_bytes: int
    lists_published_at: datetime | None = None
    """None before the first lists, and for lists of a release that did not record it."""


def read_freshness(connection: psycopg.Connection) -> Freshness:
    """Read the ages and the size."""
    return Freshness(*single_row(connection, "status/select_freshness"))


def list_conditions(connection: psycopg.Connection) -> list[Condition]:
    """Return the recorded conditions, the oldest first."""
    with connection.cursor(row_factory=class_row(Condition)) as cursor:
        return cursor.execute(statement("conditions/select_conditions")).fetchall()


def replace_conditions(connection: psycopg.Connection, found: Iterable[Condition]) -> None:
    """Make ``found`` all conditions that hold, and tell people those that are new, in one transaction.

    One whose words changed alone is rewritten and not told again; one that ended and came again is.
    """
    wanted = {each.name: each for each in found}
    known = {each.name: each for each in list_conditions(connection)}
    ended = [name for name in known if name not in wanted]
    changed = [each for name, each in wanted.items() if name not in known or _words(known[name]) != _words(each)]
    if not ended and not changed:
        return
    with connection.transaction():
        connection.execute(statement("conditions/delete_conditions"), {"names": ended})
        settle_notifications(connection, [_about(name) for name in ended])
        for each in changed:
            connection.execute(statement("conditions/upsert_condition"), asdict(each))
            record_notification(
                connection, each.kind, each.name, each.reason, next_step=each.next_step, about=_about(each.name)
            )


def _words(condition: Condition) -> tuple[str, str]:
    return condition.reason, condition.next_step


def _about(name: str) -> str:
    return f"condition {name}"
