"""The ledger of landed contents, and the quarantine of rows that fit no table.

Here: the state and counts of a file. Not here: its rows (``ratings``, ``movies``, ``batches``), its bytes (the store).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.errors import CinematchError
from cinematch_assets.table_names import BATCHES, expected_names, table_of
from cinematch_assets.values import RejectedRow, WorkKind
from cinematch_assets.warehouse.notifications import about_work, record_notification, without_cells
from cinematch_assets.warehouse.rejected_rows import replace_rejected_rows
from cinematch_assets.warehouse.statements import statement
from cinematch_assets.warehouse.suppressed_users import require_suppressed
from cinematch_assets.warehouse.table_loads import LoadRules, ReleasedContent, record_load

CORRECT = "put a corrected file into the folder; cinematch rejects list shows its rejected rows"
ADD_MOVIES = "put movies.csv with its movies into the folder: it is then read again; or put a corrected file there"


class NothingLandedError(CinematchError):
    """A table is to be loaded and no file for it has been landed."""


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A content as the ledger knows it. The counts are None until it was read."""

    path: str
    md5: str
    size: int
    store_key: str
    landed_at: datetime
    state: str
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    note: str | None

    @property
    def content(self) -> tuple[str, str]:
        """Path and md5, by which a content is known."""
        return self.path, self.md5

    @property
    def is_loaded(self) -> bool:
        """Whether exactly this content is in the table."""
        return self.state == "loaded"


@dataclass(frozen=True, slots=True)
class RefusedContent:
    """A content that was refused, and why; ``lacked_movies`` if it is read again when the catalogue has more."""

    path: str
    md5: str
    note: str
    lacked_movies: bool


@dataclass(frozen=True, slots=True)
class NewestBatch:
    """The batch that came last, and the days since its first content was landed; a later content does not renew it."""

    batch_id: str
    age_days: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows read = rows accepted + rows rejected, of one file."""

    read: int
    accepted: int
    rejected: int


def record_landing(
    connection: psycopg.Connection,
    path: str,
    md5: str,
    size: int,
    store_key: str,
    *,
    known: int | None = 0,
    stored: tuple[str, int] | None = None,
) -> None:
    """Record that a content is in the store; if it was known, its state stays.

    Args:
        connection: autocommit; the transaction is opened here.
        path: of the file.
        md5: of its content in the folder.
        size: of that, in bytes.
        store_key: the object.
        known: how many erased users it was looked through for; None for files without users.
        stored: md5 and size of the object, when rows of erased users were left out.
    """
    stored_md5, stored_size = stored or (None, None)
    values = {
        "path": path,
        "md5": md5,
        "size": size,
        "store_key": store_key,
        "for_table": table_of(path),
        "stored_md5": stored_md5,
        "stored_size": stored_size,
        "known": known or 0,
    }
    with connection.transaction():
        connection.execute(statement("files/upsert_landed_file"), values)
        if known is not None:
            require_suppressed(connection, known)


def find_newest_landed(connection: psycopg.Connection, table: str) -> LandedFile:
    """Return the content landed last for ``movies``, ``ratings`` or ``batches/<batch_id>``.

    Raises:
        NothingLandedError: naming the asset to materialize first.
    """
    with connection.cursor(row_factory=class_row(LandedFile)) as cursor:
        found = cursor.execute(statement("files/select_newest_file"), {"table": table}).fetchone()
    if found is None:
        raise NothingLandedError(f"no file {expected_names(table)} has been landed: materialize its raw asset first")
    return found


def finish_file(
    connection: psycopg.Connection,
    file: LandedFile,
    counts: Counts | None,
    *,
    state: str,
    note: str | None = None,
    refused_at_movies: int | None = None,
) -> None:
    """Record the outcome of a content; ``loaded`` makes the former contents of its table ``superseded``."""
    values = {
        "path": file.path,
        "md5": file.md5,
        "table": table_of(file.path),
        "state": state,
        "note": note,
        "refused_at_movies": refused_at_movies,
        "rows_read": None if counts is None else counts.read,
        "rows_accepted": None if counts is None else counts.accepted,
        "rows_rejected": None if counts is None else counts.rejected,
    }
    connection.execute(statement("files/finish_file"), values)


def finish_loaded_file(
    connection: psycopg.Connection,
    file: LandedFile,
    table: str,
    accepted: int,
    rejected: Sequence[RejectedRow],
    batch_id: str | None = None,
    *,
    rules: LoadRules | None = None,
    kept: int | None = None,
) -> None:
    """Record that a content is in its table: its counts, its rejected rows. In the transaction that wrote its rows."""
    replace_rejected_rows(connection, table, {file.content: rejected}, batch_id)
    counts = Counts(accepted + len(rejected), accepted, len(rejected))
    finish_file(connection, file, counts, state="loaded")
    content = ReleasedContent(file.md5, file.store_key)
    record_load(connection, table_of(file.path), file.path, content, rules=rules, kept=kept)


def refuse_file(
    connection: psycopg.Connection,
    file: LandedFile,
    table: str,
    rejected: Sequence[RejectedRow],
    *,
    counts: Counts | None,
    note: str,
    batch_id: str | None = None,
    at_movies: int | None = None,
) -> None:
    """Refuse a content: its rejected rows and the reason are stored, and its table stays as it was.

    Args:
        connection: autocommit; the transaction is opened here.
        file: the content.
        table: the table that it was meant for.
        rejected: its rejected rows.
        counts: its row counts, as far as it was read.
        note: the reason.
        batch_id: the batch that it is.
        at_movies: size of the catalogue when the content was refused for movies that it lacks: it is read again once
            the catalogue has more. None when that would not help.
    """
    with connection.transaction():
        replace_rejected_rows(connection, table, {file.content: rejected}, batch_id)
        finish_file(connection, file, counts, state="refused", note=note, refused_at_movies=at_movies)
        kind, name = work_of(file.path)
        record_notification(
            connection,
            "file refused",
            f"{file.path} is refused",
            without_cells(note),
            next_step=CORRECT if at_movies is None else ADD_MOVIES,
            about=about_work(kind, name, file.md5),
        )


def work_of(path: str) -> tuple[WorkKind, str]:
    """Return the kind and the name of the work that loads a path."""
    table = table_of(path)
    if table.startswith(f"{BATCHES}/"):
        return "batch", table.removeprefix(f"{BATCHES}/")
    return ("movies", table) if table == "movies" else ("ratings", table)


def list_processed_contents(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """Return (path, md5) of each content that needs no run: it is in the tables, or was refused and would be again."""
    return {(path, md5) for path, md5 in connection.execute(statement("files/select_processed_contents")).fetchall()}


def list_refused_contents(connection: psycopg.Connection) -> list[RefusedContent]:
    """Return each content that was refused."""
    with connection.cursor(row_factory=class_row(RefusedContent)) as cursor:
        return cursor.execute(statement("files/select_refused_contents")).fetchall()


def list_referenced_objects(connection: psycopg.Connection) -> set[str]:
    """Return the keys in the store that the ledger or the registry still points to."""
    return {key for (key,) in connection.execute(statement("files/select_referenced_objects")).fetchall()}


def find_newest_batch(connection: psycopg.Connection) -> NewestBatch | None:
    """Return the batch whose first content was landed last; None without batches."""
    with connection.cursor(row_factory=class_row(NewestBatch)) as cursor:
        return cursor.execute(statement("files/select_newest_batch")).fetchone()
