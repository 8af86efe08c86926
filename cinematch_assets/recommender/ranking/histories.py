"""What each user rated, as the rows that a ranker multiplies with.

Here: histories by user, their weights, and how they are stored. Not here: what a ranker makes of them
(``dual``, ``sparse``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.data import Floats, Ids, Ratings, positions

Rows = NDArray[np.int64]

SMALLEST_WEIGHT = 0.0625
"""What a rating of one star or less still says: that the movie was watched."""


def weight_of(stars: NDArray[Any]) -> Floats:
    """How much a rating says "more of this": (r − 1) / 4, and a little for the movies that displeased.

    Steck (2019) takes r / 5; this one did better on a validation part of both data sets (docs/decisions/0060).
    """
    weights = (np.asarray(stars, np.float32) - np.float32(1.0)) / np.float32(4.0)
    return np.asarray(np.maximum(weights, np.float32(SMALLEST_WEIGHT)), np.float32)


@dataclass(frozen=True, slots=True)
class UserHistories:
    """Histories in compressed rows: user ``users[i]`` rated ``columns[starts[i]:starts[i + 1]]`` with ``stars``.

    ``users`` (U,) is ascending; ``columns`` (n,) points into the ranker's movies, ascending within a user.
    """

    users: Ids
    starts: Rows
    columns: NDArray[Any]  # uint16 or int32
    stars: NDArray[np.float16]

    @classmethod
    def of(cls, train: Ratings, movies: Ids) -> UserHistories:
        """The rows of ``train`` whose movie is among ``movies`` (ascending); others get an empty history."""
        users = np.unique(train.users)
        at, known = positions(train.movies, movies)
        rows = np.searchsorted(users, train.users[known])
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(users)))]).astype(np.int64)
        kind = np.uint16 if len(movies) <= np.iinfo(np.uint16).max else np.int32
        return cls(users.astype(np.int32), starts, at[known].astype(kind), train.ratings[known].astype(np.float16))

    def matrix(self, width: int) -> sparse.csr_matrix:
        """Weights of all users, (U, width) float32."""
        return sparse.csr_matrix(
            (weight_of(self.stars), self.columns.astype(np.int32), self.starts), shape=(len(self.users), width)
        )

    def rows_of(self, users: Ids, width: int) -> sparse.csr_matrix:
        """Weights of the asked users, (users, width) float32; a stranger's row is empty."""
        at, known = positions(users, self.users)
        at = np.where(known, at, 0)
        lengths = np.where(known, self.starts[at + 1] - self.starts[at], 0) if len(self.users) else np.zeros(len(users))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.repeat(self.starts[at] - starts[:-1], lengths.astype(np.int64)) + np.arange(starts[-1])
        return sparse.csr_matrix(
            (weight_of(self.stars[source]), self.columns[source].astype(np.int32), starts), shape=(len(users), width)
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The histories as named arrays."""
        return {f"histories.{name}": getattr(self, name) for name in ("users", "starts", "columns", "stars")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> UserHistories:
        """The inverse of ``arrays``."""
        return cls(*(arrays[f"histories.{name}"] for name in ("users", "starts", "columns", "stars")))


def user_weights(matrix: sparse.csr_matrix, exponent: float) -> Floats:
    """How much each user's row counts in a fit, (U,): (n_u / mean n)^-exponent, so that few do not speak for all."""
    lengths = np.diff(matrix.indptr).astype(np.float64)
    relative = np.maximum(lengths, 1.0) / max(float(lengths.mean()), 1.0)
    return np.asarray(relative**-exponent, np.float32)
