"""The quarantine: table ``ops.rejected_rows``.

Here: reading it, replacing the rows of a content. Not here: releasing rows (``release``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.copy import copy_rows
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
    connection: psycopg.Connection,
    *,
    path: str | None = None,
    md5: str | None = None,
    ids: Sequence[int] = (),
    limit: int | None = None,
) -> list[QuarantinedRow]:
    """Return rows that were not released, newest file first; of one path or content, or those of ``ids``, or all.

    Once a file holds another content, the rows of the former one are returned only where ``md5`` or ``ids`` name them:
    there is nothing left to do about them.
    """
    values = {"path": path, "md5": md5, "ids": list(ids) or None, "limit": limit}
    with connection.cursor(row_factory=class_row(QuarantinedRow)) as cursor:
        return cursor.execute(statement("files/select_rejected_rows"), values).fetchall()


def remember_columns(connection: psycopg.Connection, path: str, md5: str, columns: Sequence[str]) -> None:
    """Keep the order of a file's columns, without which its raw rows cannot be read again."""
    values = {"path": path, "md5": md5, "columns": list(columns)}
    connection.execute(statement("files/update_file_columns"), values)


def replace_rejected_rows(
    connection: psycopg.Connection,
    table: str,
    rejected: Mapping[tuple[str, str], Sequence[RejectedRow]],
    batch_id: str | None = None,
) -> int:
    """Store the rejected rows of contents, in place of those of an earlier reading; return how many.

    Args:
        connection: in the transaction that the other rows of the contents belong to.
        table: the table they were meant for.
        rejected: (path, md5) → its rows.
        batch_id: the batch they belong to.
    """
    contents = {"paths": [path for path, _ in rejected], "md5s": [md5 for _, md5 in rejected]}
    connection.execute(statement("files/delete_rejected_files"), contents)
    names = ("path", "md5", "table_name", "batch_id", "row_number", "raw_row", "reasons")
    rows = (
        (path, md5, table, batch_id, row.row_number, storable(row.raw_row), [*map(storable, row.reasons)])
        for (path, md5), found in rejected.items()
        for row in found
    )
    return copy_rows(connection, sql.Identifier("ops", "rejected_rows"), names, rows)


def storable(text: str) -> str:
    """Write visibly what a text column does not allow: NUL, and half of a surrogate pair."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class FirstRejectedRow:
    """One of the first rejected rows; ``rows`` counts all of them."""

    path: str
    row_number: int
    raw_row: str
    reasons: list[str]
    rows: int


def count_rejected_reasons(
    connection: psycopg.Connection, table: str, content: tuple[str, str] | None = None
) -> dict[str, int]:
    """Return rejected rows by reason, the most frequent first, of a content (path, md5) or of a whole table."""
    return dict(connection.execute(statement("files/count_rejected_reasons"), _of_content(table, content)).fetchall())


def read_first_rejected_rows(
    connection: psycopg.Connection, table: str, content: tuple[str, str] | None = None, *, limit: int = 10
) -> list[FirstRejectedRow]:
    """Return the first rejected rows of a content (path, md5), or of a whole table."""
    values = {**_of_content(table, content), "limit": limit}
    with connection.cursor(row_factory=class_row(FirstRejectedRow)) as cursor:
        return cursor.execute(statement("files/select_first_rejected_rows"), values).fetchall()


def _of_content(table: str, content: tuple[str, str] | None) -> dict[str, str | None]:
    path, md5 = content or (None, None)
    return {"table": table, "path": path, "md5": md5}
