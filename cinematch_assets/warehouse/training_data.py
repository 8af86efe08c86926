"""What a model is trained and tested on, read in one snapshot.

Here: bulk reads. Which rows those are is defined by the view ops.training_ratings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray

from cinematch_assets.warehouse.copy import read_frame, read_frames
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.ratings import RATING_COLUMNS
from cinematch_assets.warehouse.statements import scalar, single_row, statement

_BATCH_COLUMNS = (*RATING_COLUMNS, "batch_id", "md5", "waiting")


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Ratings by where they came from; every frame has userId, movieId, rating, timestamp.

    ``merged`` came in batches that an earlier champion was trained on, ``waiting`` in batches of the buffer; these two
    carry batch_id and md5 as well. ``left_out`` are batches that are loaded and were not assessed yet.
    """

    file: pd.DataFrame
    merged: pd.DataFrame
    waiting: pd.DataFrame
    test: pd.DataFrame
    left_out: tuple[str, ...] = ()
    loads: Mapping[str, int] = field(default_factory=dict)
    """The last recorded load of ``ratings`` and of each ``batches/<batch_id>``, see ``table_loads``."""

    def waiting_batches(self) -> list[TrainedBatch]:
        """The batches of the buffer with their contents."""
        counts = self.waiting.groupby(["batch_id", "md5"], sort=True).size().reset_index(name="rows")
        return [TrainedBatch(str(batch), str(md5), int(rows)) for batch, md5, rows in counts.itertuples(index=False)]


def read_training_data(url: str) -> TrainingData:
    """Read everything in one snapshot, so that rows and batch contents belong together."""
    file, batches, test, left_out, loads = read_frames(
        url,
        (statement("training/select_training_file_rows"), RATING_COLUMNS),
        (statement("training/select_training_batch_rows"), _BATCH_COLUMNS),
        (statement("training/select_test_rows"), RATING_COLUMNS),
        (statement("training/select_left_out_batches"), ("batch_id",)),
        (statement("training/select_last_loads"), ("for_table", "load")),
    )
    waiting = batches["waiting"].to_numpy(bool)
    return TrainingData(
        file=file,
        merged=batches[~waiting].drop(columns="waiting"),
        waiting=batches[waiting].drop(columns="waiting"),
        test=test,
        left_out=tuple(left_out["batch_id"]),
        loads={str(table): int(load) for table, load in loads.itertuples(index=False)},
    )


def read_data_key(connection: psycopg.Connection) -> str:
    """Return a hash of all contents that a model would be trained on now."""
    return str(scalar(connection, "training/select_data_key"))


def read_growth(connection: psycopg.Connection) -> tuple[int, int]:
    """Return the train rows of table ``ratings``, and the most rows that a model which was decided on had."""
    rows, most_trained = single_row(connection, "training/select_growth")
    return int(rows), int(most_trained)


def read_seen_pairs(url: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return users and movies, (n,) each, of every rating in any table and any split; a pair may come twice."""
    (frame,) = read_frames(url, (statement("ratings/select_seen_pairs"), ("userId", "movieId")))
    return frame["userId"].to_numpy(np.int32), frame["movieId"].to_numpy(np.int32)


def read_test_rows(url: str) -> pd.DataFrame:
    """Return the test split: userId, movieId, rating, timestamp."""
    return read_frame(url, statement("training/select_test_rows"), RATING_COLUMNS)


def read_rating_counts(url: str) -> tuple[pd.Series, pd.Series]:
    """Return the number of train ratings by userId, and by movieId."""
    users, movies = read_frames(
        url,
        (statement("ratings/count_user_ratings"), ("userId", "count")),
        (statement("ratings/count_movie_ratings"), ("movieId", "count")),
    )
    return users.set_index("userId")["count"], movies.set_index("movieId")["count"]


def read_seen_movies(connection: psycopg.Connection, user: int) -> NDArray[np.int32]:
    """Return the movieIds that one user has rated in any table and any split, shape (n,)."""
    rows = connection.execute(statement("ratings/select_seen_movies"), {"user": user}).fetchall()
    return np.array([movie for movie, *_ in rows], np.int32)
