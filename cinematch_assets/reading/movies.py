"""Files of movies: MovieLens' ``movies.csv``, and the same as Parquet.

Here: the call, and that the last row of a movie counts. Not here: what a movie must look like
(``schemas.movies_file``).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.reading.duplicates import outdated
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import read_file
from cinematch_assets.schemas.movies_file import MOVIES_FILE


def read_movies(path: Path, *, limit: RejectionLimit, name: str = "") -> Reading:
    """Read movies: accepted as movieId (int32), title and genres (str; no genres is None), in file order.

    Titles and genres stay as the file writes them, '(no genres listed)' too. ``name`` is what messages call the file,
    its own name if empty. Raises ``FileRefused``.
    """
    return read_file(path, name or path.name, MOVIES_FILE, limit, earlier_movies)


def earlier_movies(movies: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of rows whose movie comes again in a later row."""
    return outdated(movies["movieId"].to_numpy().astype(np.int64))
