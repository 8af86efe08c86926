"""The ratings file in table ``ratings``.

Here: replacing all its rows. Not here: batches (``batches``), which row is train or test (``splitting``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from cinematch_assets.actor import Actor
from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.copy import copy_columns, without_ratings_indexes
from cinematch_assets.warehouse.landed_files import LandedFile, finish_loaded_file
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, statement
from cinematch_assets.warehouse.suppressed_users import require_suppressed
from cinematch_assets.warehouse.table_loads import LoadRules
from cinematch_assets.warehouse.table_sizes import analyze_after_load

RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
_RATINGS = sql.Identifier("ratings")


@dataclass(frozen=True, slots=True)
class RatingsLoad:
    """What a load did to the table."""

    deleted: int
    train: int
    test: int


def load_ratings(
    connection: psycopg.Connection,
    ratings: pd.DataFrame,
    is_test: NDArray[np.bool_],
    file: LandedFile,
    rejected: Sequence[RejectedRow] = (),
    by: Actor | None = None,
    suppressed: int = 0,
    *,
    rules: LoadRules | None = None,
) -> RatingsLoad:
    """Replace the file's rows in ``ratings``; those of merged batches stay. Readers see the old rows or the new.

    Args:
        connection: autocommit; the transaction is opened here.
        ratings: userId int32, movieId int32, rating float, timestamp int64; shape (n, 4).
        is_test: which rows are ``test``, shape (n,); the others are ``train``.
        file: the content they come from; its state becomes ``loaded`` in the same transaction.
        rejected: the rows of it that go into the quarantine.
        by: who the audit names when it replaces another content; by default the user of this process.
        suppressed: how many erased users the file was read without; see ``suppressed_users.require_suppressed``.
        rules: which movies the rows were checked against, and how they were split.
    """
    with connection.transaction():
        lock(connection, "ratings")
        deleted = connection.execute(statement("ratings/delete_file_ratings")).rowcount
        write_ratings(connection, ratings, is_test)
        finish_loaded_file(connection, file, "ratings", len(ratings), rejected, rules=rules)
        if deleted:
            why, counts = f"{file.path} has another content", {"deleted": deleted, "rows": len(ratings)}
            add_audit_entry(connection, Action.CORRECTION, "ratings", why, by, new=file.md5, **counts)
        connection.execute(statement("drift/refresh_drift_baseline"))
        require_suppressed(connection, suppressed)
    analyze_after_load(connection, len(ratings))
    test = int(is_test.sum())
    return RatingsLoad(deleted=deleted, train=len(ratings) - test, test=test)


def write_ratings(connection: psycopg.Connection, ratings: pd.DataFrame, is_test: NDArray[np.bool_]) -> None:
    """COPY rows in and leave the indexes as they were.

    Where more comes than stays, building the indexes afterwards beats keeping them up: 4.4 s against 18 s at 1M rows.
    """
    staying = scalar(connection, "ratings/count_merged_ratings")
    if len(ratings) > max(staying, 10_000):
        with without_ratings_indexes(connection):
            copy_splits(connection, ratings, is_test)
    else:
        copy_splits(connection, ratings, is_test)


def split_again(connection: psycopg.Connection, decide: Callable[[pd.DataFrame], NDArray[np.bool_]]) -> None:
    """Decide on train or test again for all rows of the file, in the caller's transaction.

    ``decide`` returns which rows of a ratings frame are test, shape (n,).
    """
    rows = rating_frame(connection.execute(statement("ratings/select_file_ratings")).fetchall())
    connection.execute(statement("ratings/delete_file_ratings"))
    write_ratings(connection, rows, decide(rows))


def copy_splits(connection: psycopg.Connection, ratings: pd.DataFrame, is_test: NDArray[np.bool_]) -> None:
    """COPY rows into ``ratings`` as train and test."""
    for split, rows in (("train", ~is_test), ("test", is_test)):
        copy_columns(connection, _RATINGS, rating_columns(ratings, rows), {"data_split": split})


def rating_columns(
    ratings: pd.DataFrame, rows: NDArray[np.bool_] | slice = slice(None)
) -> dict[str, NDArray[np.generic]]:
    """The four columns of a ratings frame in the widths of the tables."""
    return {
        "userId": ratings["userId"].to_numpy(np.int32)[rows],
        "movieId": ratings["movieId"].to_numpy(np.int32)[rows],
        "rating": ratings["rating"].to_numpy()[rows].astype(np.float64),
        "timestamp": ratings["timestamp"].to_numpy(np.int64)[rows],
    }


def rating_frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """Rows of a query as userId int32, movieId int32, rating float32, timestamp int64."""
    frame = pd.DataFrame(rows, columns=list(RATING_COLUMNS))
    return frame.astype({"userId": np.int32, "movieId": np.int32, "rating": np.float32, "timestamp": np.int64})
