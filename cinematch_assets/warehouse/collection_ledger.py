"""The ledger of the movie collection: one row per file, which is also the queue of files to fetch and load.

Here: recording listings, taking files, recording outcomes. Not here: the movies (``netflix``), fetching (``drive``).
No function here deletes: a file that a listing does not show is not necessarily gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import single_row, statement

ATTEMPTS = 5
"""How often one content of a file may fail to be fetched; after that it waits for other content or a person."""

State = Literal["loaded", "quarantined", "failed"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing changed: new files, changed files, failed files that get another attempt.

    ``missing`` counts files of the ledger that the listing does not show; they stay.
    """

    new: int
    changed: int
    again: int
    missing: int


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file to load, whose content is object ``store_key``.

    ``loaded_rows`` are the rows of its last good content, in that content's order.
    """

    file_id: str
    path: str
    md5: str
    size: int
    attempts: int
    loaded_md5: str | None
    loaded_rows: list[UUID | None]
    store_key: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """The outcome of fetching a content: the object that has it, or why it could not be fetched."""

    file_id: str
    md5: str
    store_key: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a file; ``rows`` is None where the rows of its former content stay."""

    file_id: str
    state: State
    error: str | None = None
    rows: tuple[UUID | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class ProblemFile:
    """A file that needs attention; ``has_rows`` is true if rows of an earlier content are in the table."""

    path: str
    state: str
    attempts: int
    last_error: str
    has_rows: bool


def record_listing(connection: psycopg.Connection, files: Sequence[DriveFile], *, attempts: int = ATTEMPTS) -> Listing:
    """Record a listing; files that are new, changed, or failed fewer than ``attempts`` times become pending."""
    values = {
        "ids": [file.id for file in files],
        "paths": [file.path for file in files],
        "md5s": [file.md5 for file in files],
        "sizes": [file.size for file in files],
        "attempts": attempts,
    }
    with connection.transaction():
        lock(connection, "listing")
        listing = Listing(*single_row(connection, "collection/count_listed_files", **values))
        connection.execute(statement("collection/update_listed_files"), values)
        connection.execute(statement("collection/insert_listed_files"), values)
    return listing


def list_pending_ids(connection: psycopg.Connection) -> set[str]:
    """Return the ids of files that are not loaded yet, those taken by workers included."""
    return {file_id for (file_id,) in connection.execute(statement("collection/select_pending_ids")).fetchall()}


def record_fetches(connection: psycopg.Connection, fetches: Sequence[Fetch]) -> None:
    """Record where contents are, or that they could not be fetched; only files that are still pending change."""
    values = {
        "ids": [fetch.file_id for fetch in fetches],
        "md5s": [fetch.md5 for fetch in fetches],
        "store_keys": [fetch.store_key for fetch in fetches],
        "errors": [fetch.error for fetch in fetches],
    }
    with connection.transaction():
        lock(connection, "listing")
        connection.execute(statement("collection/update_fetched_files"), values)


def take_fetched(connection: psycopg.Connection, limit: int) -> list[FetchedFile]:
    """Return up to ``limit`` pending files whose content is in the store, locked until the caller's transaction ends.

    Other workers get other files. When a worker is killed, its files are free again at once and none is half loaded.
    """
    with connection.cursor(row_factory=class_row(FetchedFile)) as cursor:
        return cursor.execute(statement("collection/take_fetched_files"), {"limit": limit}).fetchall()


def list_processed_files(connection: psycopg.Connection, *, attempts: int = ATTEMPTS) -> set[tuple[str, str]]:
    """Return (file_id, md5) of each content that needs no run: loaded, bad, or failed ``attempts`` times."""
    return set(connection.execute(statement("collection/select_processed_files"), {"attempts": attempts}).fetchall())


def finish_files(connection: psycopg.Connection, outcomes: Sequence[Outcome]) -> None:
    """Record the outcome of files, in the transaction that took them and wrote their rows."""
    values = {
        "ids": [outcome.file_id for outcome in outcomes],
        "states": [outcome.state for outcome in outcomes],
        "errors": [outcome.error for outcome in outcomes],
        "rows": [None if outcome.rows is None else _array(outcome.rows) for outcome in outcomes],
    }
    connection.execute(statement("collection/finish_drive_files"), values)


def read_problem_files(connection: psycopg.Connection, limit: int = 20) -> list[ProblemFile]:
    """Return files whose last attempt failed or rejected movies, by path."""
    with connection.cursor(row_factory=class_row(ProblemFile)) as cursor:
        return cursor.execute(statement("collection/select_problem_files"), {"limit": limit}).fetchall()


def _array(rows: Sequence[UUID | None]) -> str:
    """A row's array as Postgres writes it: arrays of several lengths do not fit one parameter otherwise."""
    return "{" + ",".join("NULL" if row is None else str(row) for row in rows) + "}"
