"""The ``Model`` protocol and its result types.

Here: predictions, recommendations, similar movies, the protocol. Not here: any model (``model``, ``baselines``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row per asked (user, movie), all (n,): the predicted ``ratings``, within the scale of the data.

    ``user_known`` and ``movie_known`` say whether training had a rating by the user, of the movie. ``std`` is the
    predictive standard deviation, in stars, and ratings ± ``half_width`` an 80 % interval; both are None where the
    method gives no distribution.
    """

    ratings: Floats
    std: Floats | None
    user_known: NDArray[np.bool_]
    movie_known: NDArray[np.bool_]
    half_width: Floats | None = None

    def errors(self, given: NDArray[Any]) -> NDArray[np.float64]:
        """Return prediction − rating for the ``given`` ratings of the same rows, (n,), in stars."""
        return np.asarray(self.ratings.astype(np.float64) - given)


@dataclass(frozen=True, slots=True)
class TopN:
    """Top-N recommendations, flat: rows ordered by user as asked, then rank from 1. All arrays are (rows,).

    ``scores`` order a user's movies (higher is better, comparable within one user only). ``predicted_ratings``, their
    ``std`` and ``half_width`` are as in ``Predictions``.
    """

    users: Ids
    ranks: Ids
    movies: Ids
    scores: Floats
    predicted_ratings: Floats
    std: Floats | None = None
    half_width: Floats | None = None

    def __len__(self) -> int:
        return len(self.users)

    def to_frame(self) -> pd.DataFrame:
        """Columns ``userId, rank, movieId, score, predicted_rating, std, half_width``; NaN where there is none."""
        unknown = np.full(len(self), np.nan, np.float32)
        return pd.DataFrame(
            {
                "userId": self.users,
                "rank": self.ranks,
                "movieId": self.movies,
                "score": self.scores,
                "predicted_rating": self.predicted_ratings,
                "std": unknown if self.std is None else self.std,
                "half_width": unknown if self.half_width is None else self.half_width,
            }
        )


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why each row of a ``TopN`` is listed: the movies of the user's history that contributed most to its score.

    ``movies`` int32 and ``contributions`` float32 are (rows, n), largest first; an empty slot has movie −1 and 0. A
    contribution is the movie's part of the EASE score, which is a sum over the history: without it the score is lower
    by just that much.
    """

    movies: Ids
    contributions: Floats

    def lists(self) -> list[list[int]]:
        """The movies of each row, without empty slots."""
        return [[movie for movie in row if movie >= 0] for row in self.movies.tolist()]


@dataclass(frozen=True, slots=True)
class Similar:
    """Movies similar to one, most similar first; ``scores`` (k,) are lifts over independence."""

    movies: Ids
    scores: Floats


class Model(Protocol):
    """What the recommender and each baseline can be asked; unknown ids get an answer, not an error."""

    @property
    def method(self) -> str:
        """A short name for tables."""

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Predict the rating of each (user, movie) row."""

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """Recommend at most ``k`` of ``candidates`` (None: the catalogue) per user, without their ``seen`` movies."""


class RatingFactors(Protocol):
    """Predicted ratings as products of factors, which order movies for a user; what is equal for all is left out."""

    def user_side(self, users: Ids) -> Floats:
        """Factors of users, (n, f)."""

    def movie_side(self, movies: Ids) -> Floats:
        """Factors of movies, (n, f)."""
