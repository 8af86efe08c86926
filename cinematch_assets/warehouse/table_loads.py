"""The record of what changed the tables that training reads, in order: contents, released rows, genre features.

Here: rows of ``ops.table_loads``. Not here: the tables' rows (``ratings``, ``batches``, ``movies``), repeating loads
(``pipeline.models.rebuild_version``), the ledger of landed contents (``landed_files``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import scalar, statement

MOVIES = "movies"


@dataclass(frozen=True, slots=True)
class LoadRules:
    """What decided which rows of a content were accepted, and which of them are test rows."""

    known_movies: int | None = None
    """The last load of movies that its rows were checked against."""
    split: str | None = None
    """``hash`` or ``temporal``, for the ratings file."""


@dataclass(frozen=True, slots=True)
class ReleasedContent:
    """The texts of released rows as an object of the store."""

    md5: str
    store_key: str


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """A row of the record; ``id`` rises with each load of a table."""

    id: int
    for_table: str
    kind: Literal["content", "released", "features"]
    path: str | None
    md5: str | None
    store_key: str | None
    known_movies: int | None
    split: str | None
    kept: int | None
    """For a file of movies: movies of the table that it did not have."""
    genre_basis: str | None


def record_load(
    connection: psycopg.Connection,
    for_table: str,
    path: str,
    content: ReleasedContent,
    *,
    kind: Literal["content", "released"] = "content",
    rules: LoadRules | None = None,
    kept: int | None = None,
) -> None:
    """Record that rows of a content went into a table; in the transaction that wrote them, under the table's lock."""
    rules = rules or LoadRules()
    values: dict[str, Any] = {
        "for_table": for_table,
        "kind": kind,
        "path": path,
        "md5": content.md5,
        "store_key": content.store_key,
        "known_movies": rules.known_movies,
        "split": rules.split,
        "kept": kept,
        "genre_basis": None,
    }
    connection.execute(statement("loads/insert_load"), values)


def record_features(connection: psycopg.Connection, genre_basis: str, known_movies: int | None) -> None:
    """Record that the movies got their features, unless the last load of movies was the same one."""
    values = {"genre_basis": genre_basis, "known_movies": known_movies}
    connection.execute(statement("loads/insert_features_load"), values)


def list_loads(connection: psycopg.Connection) -> list[RecordedLoad]:
    """Return every recorded load, in order."""
    with connection.cursor(row_factory=class_row(RecordedLoad)) as cursor:
        return cursor.execute(statement("loads/select_loads")).fetchall()


def replace_content(connection: psycopg.Connection, store_key: str, content: ReleasedContent | None) -> None:
    """Let loads of an object be of another one, which lacks rows of it; without one there were no other rows."""
    if content is None:
        connection.execute(statement("loads/delete_content"), {"former": store_key})
    else:
        values = {"former": store_key, "store_key": content.store_key, "md5": content.md5}
        connection.execute(statement("loads/replace_content"), values)


def delete_loads(connection: psycopg.Connection, kept: Collection[int], days: int) -> int:
    """Delete loads older than ``days`` but for those ``kept``; return how many."""
    return connection.execute(statement("loads/delete_loads"), {"kept": list(kept), "days": days}).rowcount


def read_genre_basis(connection: psycopg.Connection, version: str) -> dict[str, Any]:
    """Return a genre basis by its version, as it was stored."""
    return dict(scalar(connection, "loads/select_basis", version=version))
