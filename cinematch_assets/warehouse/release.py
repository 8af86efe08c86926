"""Release rejected rows into their table, in one transaction.

Here: the transaction. Not here: reading the rows again (``reading.released``), listing them (``rejected_rows``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray

from cinematch_assets.actor import Actor
from cinematch_assets.errors import CinematchError
from cinematch_assets.table_names import table_of
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.locks import lock, lock_batch
from cinematch_assets.warehouse.ratings import copy_splits
from cinematch_assets.warehouse.rejected_rows import QuarantinedRow
from cinematch_assets.warehouse.statements import statement
from cinematch_assets.warehouse.suppressed_users import require_suppressed
from cinematch_assets.warehouse.table_loads import LoadRules, ReleasedContent, record_load

_MOVIE_COLUMNS = {"ids": "movieId", "titles": "title", "genres": "genres"}


@dataclass(frozen=True, slots=True)
class ReleaseReason:
    """What the audit says of a release: who, why, and whether a person corrected the row."""

    by: Actor
    text: str = "valid now"
    is_correction: bool = False


class ReleaseConflictError(CinematchError):
    """Rows in the quarantine changed since the caller read them; nothing was written."""


def find_existing_pairs(
    connection: psycopg.Connection, batch_id: str | None, ratings: pd.DataFrame
) -> NDArray[np.bool_]:
    """Which of these ratings are of a (user, movie) that the file's or batch's rows have already, shape (n,)."""
    values = {"users": ratings["userId"].tolist(), "movies": ratings["movieId"].tolist(), "batch_id": batch_id}
    found = connection.execute(statement("ratings/select_existing_pairs"), values).fetchall()
    return np.array([exists for (exists,) in found], bool)


def release_ratings(
    connection: psycopg.Connection,
    rows: Sequence[QuarantinedRow],
    ratings: pd.DataFrame,
    is_test: NDArray[np.bool_],
    why: ReleaseReason | None = None,
    suppressed: int = 0,
    *,
    texts: ReleasedContent,
    rules: LoadRules | None = None,
) -> None:
    """Write released rows of one content into the table of its other rows, and mark them, in one transaction.

    Args:
        connection: autocommit; the transaction is opened here.
        rows: the rejected rows, all of one content, in the order of ``ratings``.
        ratings: what they read as, shape (n, 4).
        is_test: their split; rows of a batch are never test rows.
        why: for the audit; by default the user of this process released what is valid now.
        suppressed: how many erased users the rows were compared with; see ``suppressed_users.require_suppressed``.
        texts: the object that holds the texts they were read from.
        rules: which movies they were checked against, and how they were split.

    Raises:
        ReleaseConflictError: the rows were released meanwhile, or their content is no longer in the tables.
    """
    batch_id = rows[0].batch_id
    with connection.transaction():
        if batch_id is None:
            lock(connection, "ratings")
            _mark(connection, rows, why, texts, rules)
            copy_splits(connection, ratings, is_test)
            connection.execute(statement("drift/refresh_drift_baseline"))
        else:
            lock_batch(connection, batch_id)
            existing = read_stored_batch(connection, batch_id)
            if existing is None or existing.place == "deleted":
                raise ReleaseConflictError(
                    f"{batch_id} has no rows in the tables, so its rejected rows cannot be released"
                )
            if existing.place == "merged":
                lock(connection, "ratings")
            _mark(connection, rows, why, texts, rules)
            connection.execute(statement("batches/insert_released_batch_rows"), _batch_values(batch_id, ratings))
            connection.execute(statement("batches/grow_batch"), {"batch_id": batch_id, "rows": len(rows)})
            if existing.place == "merged":
                connection.execute(statement("drift/refresh_drift_baseline"))
        require_suppressed(connection, suppressed)


def release_movies(
    connection: psycopg.Connection,
    rows: Sequence[QuarantinedRow],
    movies: pd.DataFrame,
    why: ReleaseReason | None = None,
    *,
    texts: ReleasedContent,
) -> None:
    """Upsert released movies of one content and mark them, in one transaction."""
    values = {name: movies[column].tolist() for name, column in _MOVIE_COLUMNS.items()}
    with connection.transaction():
        lock(connection, "movies")
        _mark(connection, rows, why, texts)
        connection.execute(statement("movies/upsert_movies"), values)


def _batch_values(batch_id: str, ratings: pd.DataFrame) -> dict[str, object]:
    return {
        "batch_id": batch_id,
        "users": ratings["userId"].tolist(),
        "movies": ratings["movieId"].tolist(),
        "ratings": ratings["rating"].astype(float).tolist(),
        "timestamps": ratings["timestamp"].tolist(),
    }


def _mark(
    connection: psycopg.Connection,
    rows: Sequence[QuarantinedRow],
    why: ReleaseReason | None,
    texts: ReleasedContent,
    rules: LoadRules | None = None,
) -> None:
    """Mark rows and record their release, under the lock of their table or batch: they cannot change meanwhile.

    The audit has no text of a row.
    """
    values = {"ids": [row.id for row in rows], "path": rows[0].path, "md5": rows[0].md5, "rows": len(rows)}
    if connection.execute(statement("files/mark_released"), values).rowcount != len(rows):
        raise ReleaseConflictError(
            f"{rows[0].path}: rows were released meanwhile, or the table has a newer content: "
            "run cinematch rejects again"
        )
    connection.execute(statement("files/move_released_counts"), values)
    record_load(connection, table_of(rows[0].path), rows[0].path, texts, kind="released", rules=rules)
    why = why or ReleaseReason(Actor.of_process())
    action = Action.CORRECTION if why.is_correction else Action.RELEASE
    numbers = [row.row_number for row in rows]
    add_audit_entry(connection, action, rows[0].path, why.text, why.by, md5=rows[0].md5, row_numbers=numbers)
