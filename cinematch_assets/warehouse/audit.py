"""Who did what, and why: table ``ops.audit``, to which rows are only added.

Here: its entries, and changes of settings. Not here: who acts (``actor``). An entry is written in the transaction of
the change that it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cinematch_assets.actor import Actor
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import statement


class Action(StrEnum):
    """What an entry is about."""

    PROMOTION = "promotion"
    REJECTION = "rejection"
    """A person rejected a version that awaited approval."""
    ROLLBACK = "rollback"
    RELEASE = "release"
    CORRECTION = "correction"
    """Other content replaced a file's rows, or a person corrected a rejected row."""
    BATCH_REMOVAL = "batch_removal"
    BATCH_RESTORE = "batch_restore"
    """A person had a batch loaded again that one had removed."""
    ERASURE = "erasure"
    RESTORE = "restore"
    """A backup became the content of this database."""
    SETTING_CHANGE = "setting_change"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A row of the table; ``database_user`` is written by the server itself."""

    id: int
    at: datetime
    action: str
    subject: str
    actor: str
    run_id: str | None
    launched_by: str | None
    database_user: str
    reason: str
    details: dict[str, Any]

    @property
    def by(self) -> Actor:
        """Who acted."""
        return Actor(self.actor, self.run_id, self.launched_by)


def add_audit_entry(
    connection: psycopg.Connection, action: Action, subject: str, reason: str, by: Actor | None = None, **details: Any
) -> None:
    """Add an entry, in the caller's transaction; by default by the user of this process.

    Characters that do not print are written as spaces, so that no entry changes the look of another.
    """
    by = by or Actor.of_process()
    values = {
        "action": action.value,
        "subject": _printable(subject),
        "actor": _printable(by.name),
        "run_id": by.run_id,
        "launched_by": None if by.launched_by is None else _printable(by.launched_by),
        "reason": _printable(reason) or "no reason given",
        "details": Jsonb(details),
    }
    connection.execute(statement("audit/insert_entry"), values)


def list_audit_entries(
    connection: psycopg.Connection, *, action: Action | None = None, limit: int | None = None
) -> list[AuditEntry]:
    """Return the entries, newest first."""
    values = {"action": None if action is None else action.value, "limit": limit}
    with connection.cursor(row_factory=class_row(AuditEntry)) as cursor:
        return cursor.execute(statement("audit/select_entries"), values).fetchall()


def record_settings(
    connection: psycopg.Connection,
    home: str,
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    by: Actor | None = None,
) -> dict[str, tuple[Any, Any]]:
    """Add an entry if the settings of a home differ from those that its last entry recorded; return (old, new) of each.

    Args:
        connection: autocommit; the transaction is opened here.
        home: CINEMATCH_HOME, by which several platforms on one warehouse are told apart.
        settings: variable → value now.
        defaults: variable → default, which holds for what was never recorded.
        by: who changed them, as far as that is known: the first to run with them.
    """
    if not _changed_settings(connection, home, settings, defaults):
        return {}
    with connection.transaction():
        lock(connection, "audited settings")
        changed = _changed_settings(connection, home, settings, defaults)  # another run may have recorded it meanwhile
        if changed:
            reason = "; ".join(f"{name} is {new}, was {old}" for name, (old, new) in changed.items())
            details = {"changed": changed, "settings": dict(settings)}
            add_audit_entry(connection, Action.SETTING_CHANGE, home, reason, by, **details)
    return changed


def _changed_settings(
    connection: psycopg.Connection, home: str, settings: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    row = connection.execute(statement("audit/select_settings"), {"home": _printable(home)}).fetchone()
    known = {**defaults, **(row[0] if row else {})}
    return {name: (known.get(name), value) for name, value in settings.items() if known.get(name) != value}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
