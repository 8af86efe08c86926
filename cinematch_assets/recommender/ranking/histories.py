"""User histories: the interaction matrix that every part of a ranker is fitted to, in compressed rows.

Here: the weight of a rating, histories by user, the weight of a user. Not here: the models fitted to them
(``ranking.ease_dual``, ``ranking.ease_sparse``, ``ranking.implicit_als``, ``ranking.similar_items``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.ids import distinct, positions
from cinematch_assets.recommender.data import Floats, Ids, Ratings

Counts = NDArray[np.int64]

MIN_WEIGHT = 0.0625
"""The weight of a rating of one star or less: low, but the movie was watched."""

_ARRAYS = ("movies", "users", "starts", "columns", "ratings")


def rating_weights(ratings: NDArray[Any]) -> Floats:
    """The weight of each rating r as implicit feedback: (r − 1) / 4, at least ``MIN_WEIGHT``.

    Steck (2019) takes r / 5; this one did better on a validation part of both data sets (docs/decisions/0060).
    """
    weights = (np.asarray(ratings, np.float32) - np.float32(1.0)) / np.float32(4.0)
    return np.asarray(np.maximum(weights, np.float32(MIN_WEIGHT)), np.float32)


@dataclass(frozen=True, slots=True)
class UserHistories:
    """Ratings of U users over M movies: user ``users[i]`` rated ``columns[starts[i]:starts[i + 1]]`` with ``ratings``.

    ``movies`` (M,) and ``users`` (U,) are ascending; ``columns`` (n,) are indices of ``movies``, ascending within a
    user.
    """

    movies: Ids
    users: Ids
    starts: Counts
    columns: NDArray[Any]  # uint16 or int32
    ratings: NDArray[np.float16]

    @classmethod
    def of(cls, train: Ratings, movies: Ids) -> UserHistories:
        """The rows of ``train`` whose movie is among ``movies`` (ascending); each user of ``train`` has a history."""
        users = distinct(train.users)
        columns, known = positions(train.movies, movies)
        rows = positions(train.users[known], users)[0]
        return cls(
            movies=movies,
            users=users.astype(np.int32),
            starts=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(users)))]).astype(np.int64),
            columns=columns[known].astype(np.uint16 if len(movies) <= np.iinfo(np.uint16).max else np.int32),
            ratings=train.ratings[known].astype(np.float16),
        )

    def weights(self) -> sparse.csr_matrix:
        """Rating weights of all users, (U, M) float32."""
        return sparse.csr_matrix(
            (rating_weights(self.ratings), self.columns.astype(np.int32), self.starts),
            shape=(len(self.users), len(self.movies)),
        )

    def weights_of(self, users: Ids) -> sparse.csr_matrix:
        """Rating weights of ``users`` (n,) in any order, (n, M) float32; the row of an unknown user is empty."""
        rows, known = positions(users, self.users)
        lengths = np.where(known, self.starts[rows + 1] - self.starts[rows], 0) if len(self.users) else 0 * rows
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        return sparse.csr_matrix(
            (rating_weights(self.ratings[source]), self.columns[source].astype(np.int32), starts),
            shape=(len(users), len(self.movies)),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The histories as named arrays."""
        return {f"histories.{name}": getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> UserHistories:
        """The inverse of ``arrays``."""
        return cls(**{name: arrays[f"histories.{name}"] for name in _ARRAYS})


def user_weights(weights: sparse.csr_matrix, exponent: float) -> Floats:
    """The weight of each user's row in a fit, (U,): (n_u / mean n)^-exponent, less for users with many ratings."""
    lengths = np.diff(weights.indptr).astype(np.float64)
    relative = np.maximum(lengths, 1.0) / max(float(lengths.mean()), 1.0)
    return np.asarray(relative**-exponent, np.float32)
