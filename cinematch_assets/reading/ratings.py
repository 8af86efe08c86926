"""Read files of ratings: MovieLens' ``ratings.csv``, batches, or the same as Parquet.

Here: the entry point, and that the newest rating of a user and movie counts. Not here: what a valid rating is
(``schemas.ratings_file``).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.reading.duplicates import find_replaced
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import open_table, read_file
from cinematch_assets.schemas.ratings_file import KNOWN_MOVIE, RATINGS_FILE
from cinematch_assets.schemas.table import Rule, Table

TIME = "timestamp"
UNKNOWN_MOVIE = f"movieId is not {KNOWN_MOVIE}"
"""The reason of a rejected row whose movie may come with a later file of movies."""


def read_ratings(
    path: Path,
    *,
    known_movies: NDArray[np.int32] | None,
    limit: RejectionLimit,
    name: str = "",
    are_times_needed: bool = True,
) -> Reading:
    """Read a file of ratings.

    Of two ratings of a movie by one user the newer counts; of two equally new ones the later row.

    Args:
        path: CSV or Parquet.
        known_movies: Ids that may be rated; None for any.
        limit: Share of rejected rows above which the file is refused.
        name: The file's name in messages; by default that of ``path``.
        are_times_needed: Whether a file without a column ``timestamp`` is refused; else all its times are 0.

    Returns:
        Accepted rows in file order: userId, movieId (int32), rating (float32), timestamp (int64, seconds).

    Raises:
        FileRefused: Nothing of the file may be used.
    """
    table, name = ratings_file_table(known_movies), name or path.name
    if are_times_needed or TIME in open_table(path, name, _without_times(table)).columns:
        return read_file(path, name, table, limit, find_replaced_ratings)
    reading = read_file(path, name, _without_times(table), limit, _find_repeated_ratings)
    return replace(reading, accepted=reading.accepted.assign(**{TIME: np.int64(0)}))


def ratings_file_table(known_movies: NDArray[np.int32] | None) -> Table:
    """Return the declaration of a ratings file, with the rule that its movies are among ``known_movies``."""
    if known_movies is None:
        return RATINGS_FILE
    return RATINGS_FILE.with_rule("movieId", Rule("among", (known_movies,), KNOWN_MOVIE))


def _without_times(table: Table) -> Table:
    return replace(table, columns=tuple(column for column in table.columns if column.name != TIME))


def _find_repeated_ratings(ratings: pd.DataFrame) -> NDArray[np.int64]:
    return find_replaced_ratings(ratings.assign(**{TIME: np.int64(0)}))


def find_replaced_ratings(ratings: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of ratings that a newer one of the same user and movie replaces."""
    keys = pair_keys(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
    return find_replaced(keys, ratings["timestamp"].to_numpy())
