"""What is outstanding: table ``ops.outstanding_work``, a row for each piece of work that was asked for and is not done.

Here: reading it, for ``status``, pages and notifications, and bringing it up to date. Not here: what is outstanding
and why (``pipeline.ingest.folder_changes``, ``retraining``, ``attempts``).
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace

import psycopg
from psycopg.rows import class_row

from cinematch_assets.values import NotificationKind, OutstandingWork, WorkKind
from cinematch_assets.warehouse.notifications import (
    about_work,
    record_notification,
    settle_notifications,
    without_cells,
)
from cinematch_assets.warehouse.statements import single_row, statement

CANNOT_BE_LISTED = "the folder cannot be listed"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What loads and assessments need first."""

    movies: int
    """In the catalogue, which only grows."""
    has_baseline: bool
    has_champion: bool
    expects_model: bool
    """Whether a first model is being trained, or will be by itself."""


def read_readiness(connection: psycopg.Connection) -> Readiness:
    """Read what there is already."""
    return Readiness(*single_row(connection, "outstanding/select_readiness"))


def list_outstanding(connection: psycopg.Connection) -> list[OutstandingWork]:
    """Return all outstanding work: what needs a person first, then what waits, then what runs; the oldest first."""
    with connection.cursor(row_factory=class_row(OutstandingWork)) as cursor:
        return cursor.execute(statement("outstanding/select_outstanding")).fetchall()


def replace_outstanding(
    connection: psycopg.Connection, kinds: Collection[WorkKind], work: Iterable[OutstandingWork]
) -> None:
    """Make ``work`` all that is outstanding of these kinds; what is in the table as it is already is not written.

    So a look at which nothing changed writes nothing, and does not fail where the database is read-only. What needs a
    person from now on is recorded as a notification in the same transaction.

    Args:
        connection: autocommit; the transaction is opened here.
        kinds: the kinds that the caller knows everything about; rows of others stay.
        work: at most one for each kind and name.
    """
    wanted = {(each.kind, each.work): each for each in work}
    if any(kind not in kinds for kind, _ in wanted):
        raise ValueError("work of a kind that the caller does not answer for")
    known = {(each.kind, each.work): each for each in list_outstanding(connection) if each.kind in kinds}
    gone = [key for key in known if key not in wanted]
    changed = [each for key, each in wanted.items() if key not in known or replace(known[key], since=None) != each]
    if not gone and not changed:
        return
    with connection.transaction():
        connection.execute(
            statement("outstanding/delete_outstanding"),
            {"kinds": [kind for kind, _ in gone], "works": [work for _, work in gone]},
        )
        ended = [known[key] for key in known if _has_ended(known[key], wanted.get(key))]
        settle_notifications(connection, [_about(each) for each in ended])
        for each in changed:
            connection.execute(statement("outstanding/upsert_outstanding"), asdict(each))
            if each.needs_a_person:
                _notify(connection, each)


def _has_ended(known: OutstandingWork, now: OutstandingWork | None) -> bool:
    """Whether what people were told of a piece of work no longer holds."""
    return now is None or now.content != known.content or (known.needs_a_person and not now.needs_a_person)


def _about(work: OutstandingWork) -> str:
    return about_work(work.kind, work.work, work.content)


def _notify(connection: psycopg.Connection, work: OutstandingWork) -> None:
    kind: NotificationKind = "left out" if work.state == "left_out" else "given up"
    subject = f"{work.work if kind == 'left out' else work.name} is {kind}"
    if work.kind == "folder":
        kind, subject = "folder", CANNOT_BE_LISTED
    record_notification(
        connection, kind, subject, without_cells(work.reason), next_step=work.next_step, about=_about(work)
    )
