"""The quarantine: table ``ops.rejected_rows``.

Here: reading it. Not here: releasing rows (``release``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row in the quarantine, with what is needed to read it again, and the state of its file."""

    id: int
    path: str
    md5: str
    table_name: str
    batch_id: str | None
    row_number: int
    raw_row: str
    reasons: list[str]
    columns: list[str] | None
    file_state: str


def read_rejected_rows(
    connection: psycopg.Connection, *, path: str | None = None, ids: Sequence[int] = (), limit: int | None = None
) -> list[QuarantinedRow]:
    """Return rows that were not released, newest file first; of one path, or those of ``ids``, or all."""
    values = {"path": path, "ids": list(ids) or None, "limit": limit}
    with connection.cursor(row_factory=class_row(QuarantinedRow)) as cursor:
        return cursor.execute(statement("files/select_rejected_rows"), values).fetchall()


def remember_columns(connection: psycopg.Connection, path: str, md5: str, columns: Sequence[str]) -> None:
    """Keep the order of a file's columns, without which its raw rows cannot be read again."""
    values = {"path": path, "md5": md5, "columns": list(columns)}
    connection.execute(statement("files/update_file_columns"), values)
