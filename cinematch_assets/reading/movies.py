"""Read files of movies: MovieLens' ``movies.csv``, or the same as Parquet.

Here: the entry point, and that the last row of a movie counts. Not here: what a valid movie is
(``schemas.movies_file``).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.movielens import SEPARATOR, other_separator, with_separator
from cinematch_assets.reading.duplicates import find_replaced
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import read_file
from cinematch_assets.schemas.movies_file import MOVIES_FILE


def read_movies(path: Path, *, limit: RejectionLimit, name: str = "") -> Reading:
    """Read a file of movies.

    Args:
        path: CSV or Parquet.
        limit: Share of rejected rows above which the file is refused.
        name: The file's name in messages; by default that of ``path``.

    Returns:
        Accepted rows in file order: movieId (int32), title and genres (str, None for an empty cell), both as the file
        writes them, "(no genres listed)" included; only another separator of genres is replaced.

    Raises:
        FileRefused: Nothing of the file may be used.
    """
    return with_usual_genres(read_file(path, name or path.name, MOVIES_FILE, limit, find_replaced_movies))


def with_usual_genres(reading: Reading) -> Reading:
    """Return the reading with genres separated as MovieLens does, when none of the file is and something else does."""
    movies = reading.accepted
    if not (other := other_separator(movies["genres"])):
        return reading
    genres = np.array([with_separator(each, other) or None for each in movies["genres"]], dtype=object)
    note = f"genres are separated by '{other}' in this file, and by '{SEPARATOR}' in the table"
    return replace(reading, accepted=movies.assign(genres=genres), notes=(*reading.notes, note))


def find_replaced_movies(movies: pd.DataFrame) -> NDArray[np.int64]:
    """Return the positions of rows whose movie occurs again in a later row."""
    return find_replaced(movies["movieId"].to_numpy().astype(np.int64))
