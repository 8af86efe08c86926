"""The state of the platform, as rows.

Here: the queries of ``cinematch status`` and ``cinematch demo``. Not here: how they are shown (``cli``).
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch: its load, where its rows are, its alerts, the decision and the outcome."""

    batch_id: str
    status: str
    record_count: int | None
    place: str | None
    triggered: str | None
    due: bool | None
    reason: str | None
    state: str | None
    outcome: str | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class FileLine:
    """The newest content of a path."""

    path: str
    state: str
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    landed_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """One reason for which rows of a file are in the quarantine."""

    path: str
    reason: str
    rows: int
    first_row: int


def list_batches(connection: psycopg.Connection) -> list[BatchLine]:
    """Return one line per batch, in the order of their first arrival."""
    with connection.cursor(row_factory=class_row(BatchLine)) as cursor:
        return cursor.execute(statement("status/select_status_batches")).fetchall()


def list_files(connection: psycopg.Connection) -> list[FileLine]:
    """Return the newest content of every path."""
    with connection.cursor(row_factory=class_row(FileLine)) as cursor:
        return cursor.execute(statement("status/select_status_files")).fetchall()


def list_rejected_reasons(connection: psycopg.Connection) -> list[RejectedLine]:
    """Return the quarantine by file and reason."""
    with connection.cursor(row_factory=class_row(RejectedLine)) as cursor:
        return cursor.execute(statement("files/select_rejected_summary")).fetchall()


def count_collection_states(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many files of the movie collection are in which state."""
    return dict(connection.execute(statement("status/select_status_collection")).fetchall())
