"""Files of ratings: MovieLens' ``ratings.csv``, batches, and the same as Parquet.

Here: the call, and that the newest rating of a user and movie counts. Not here: what a rating must look like
(``schemas.ratings_file``).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.reading.duplicates import outdated
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import read_file
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets.schemas.table import Rule, Table


def read_ratings(
    path: Path, *, known_movies: NDArray[np.int32] | None, limit: RejectionLimit, name: str = ""
) -> Reading:
    """Read ratings: accepted as userId, movieId (int32), rating (float32), timestamp (int64, seconds), in file order.

    Of two ratings of a movie by one user the newer counts, of two equally new ones the later row. ``known_movies``
    are the ids that may be rated, any when not given. ``name`` is what messages call the file, its own name if empty.
    Raises ``FileRefused``.
    """
    return read_file(path, name or path.name, ratings_table(known_movies), limit, older_ratings)


def ratings_table(known_movies: NDArray[np.int32] | None) -> Table:
    """The declaration of a ratings file, with the rule that its movies be among these."""
    if known_movies is None:
        return RATINGS_FILE
    return RATINGS_FILE.with_rule("movieId", Rule("among", (known_movies,), "in the table of movies"))


def older_ratings(ratings: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of ratings that a newer one of the same user and movie replaces."""
    keys = pair_keys(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
    return outdated(keys, ratings["timestamp"].to_numpy())
