"""What a model answers, and the two questions that every model answers.

Here: predictions, lists and the protocol. Not here: any model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row per asked pair, all (n,): stars in the data's range; ``spread`` is a standard deviation in stars.

    ``user_known`` and ``movie_known`` say whether training had a rating by the user, of the movie. The rating is within
    stars ± ``half_width`` with a probability of 80 %; both are None where the method gives no distribution.
    """

    stars: Floats
    spread: Floats | None
    user_known: NDArray[np.bool_]
    movie_known: NDArray[np.bool_]
    half_width: Floats | None = None


@dataclass(frozen=True, slots=True)
class TopN:
    """Lists, flat: rows ordered by user as asked, then rank from 1. All arrays are (rows,).

    ``scores`` order a list (higher is better, comparable within one user only); ``stars`` are the predicted rating
    beside it, ``spread`` its standard deviation and ± ``half_width`` its 80 % interval, None where there is none.
    """

    users: Ids
    ranks: Ids
    movies: Ids
    scores: Floats
    stars: Floats
    spread: Floats | None = None
    half_width: Floats | None = None

    def __len__(self) -> int:
        return len(self.users)

    def to_frame(self) -> pd.DataFrame:
        """Columns ``userId, rank, movieId, score, stars``, and ``spread`` and ``half_width`` (NaN where unknown)."""
        unknown = np.full(len(self), np.nan, np.float32)
        return pd.DataFrame(
            {
                "userId": self.users,
                "rank": self.ranks,
                "movieId": self.movies,
                "score": self.scores,
                "stars": self.stars,
                "spread": unknown if self.spread is None else self.spread,
                "half_width": unknown if self.half_width is None else self.half_width,
            }
        )


@dataclass(frozen=True, slots=True)
class Similar:
    """Movies similar to one, most similar first; ``scores`` (k,) are lifts over independence."""

    movies: Ids
    scores: Floats


class Model(Protocol):
    """What the recommender and each baseline can be asked; unknown ids are answered, never raised on."""

    @property
    def method(self) -> str:
        """A short name for tables."""

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Stars for each (user, movie) row."""

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """At most ``k`` movies per user, none of his ``seen`` pairs, out of ``candidates`` (None: the catalogue)."""


class RatingFactors(Protocol):
    """Predicted ratings as products of factors, which order movies for a user; what is equal for all is left out."""

    def user_side(self, users: Ids) -> Floats:
        """Factors of users, (n, f)."""

    def movie_side(self, movies: Ids) -> Floats:
        """Factors of movies, (n, f)."""
