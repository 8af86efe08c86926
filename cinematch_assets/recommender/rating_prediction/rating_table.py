"""Predicted stars from a table of biases and factors: what every rating model is reduced to once it is fitted.

Here: prediction, strangers and fold-in. Not here: how the table was fitted (``biases``, ``bayes``, ``als``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, positions
from cinematch_assets.recommender.protocol import Predictions

ROWS_AT_ONCE = 1 << 17
"""Rows predicted at once: with 64 factors their two sides are 64 MB."""

NOISE_FREEDOM = 4.0
"""η, how many ratings of usual consistency we imagine of each user; 2 and 10 did as well on validation rows."""


@dataclass(frozen=True, slots=True)
class RatingTable:
    """r(u, m) ≈ clip(μ + b_u + b_m + p_u · q_m, low, high), with variance σ² + v_u + v_m.

    ``v_u`` is below zero for a user who is more consistent than most.

    ``users`` (U,) and ``movies`` (M,) are ascending. Row U of the user arrays, shapes (U + 1,) and (U + 1, k), stands
    for a user nobody has heard of, row M of the movie arrays likewise. ``*_rated`` says who had a rating in training.
    """

    mean: float
    low: float
    high: float
    noise: float  # σ², the variance of a rating around what is expected; 0: the method gives no spread
    half_width: float  # of the central 80 % of a rating's distribution, in its standard deviations
    users: Ids
    movies: Ids
    user_bias: Floats
    movie_bias: Floats
    user_factors: Floats
    movie_factors: Floats
    user_variance: Floats
    movie_variance: Floats
    user_rated: NDArray[np.bool_]
    movie_rated: NDArray[np.bool_]
    user_choice: Floats  # (U + 1,) added for movies without ratings: how well the user picks
    movie_choice: Floats  # (M + 1,) added for users without ratings: how generous those who pick the movie are

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Stars and spread of each (user, movie) row, (n,)."""
        u, m = self.user_rows(users), self.movie_rows(movies)
        spread = np.sqrt(self.noise + self.user_variance[u] + self.movie_variance[m]) if self.noise > 0 else None
        return Predictions(
            ratings=np.clip(self.expected(u, m), np.float32(self.low), np.float32(self.high)),
            std=None if spread is None else spread.astype(np.float32),
            user_known=self.user_rated[u],
            movie_known=self.movie_rated[m],
            half_width=None if spread is None else (spread * self.half_width).astype(np.float32),
        )

    def expected(self, u: NDArray[np.intp], m: NDArray[np.intp]) -> Floats:
        """Unclipped stars of rows (n,) of the table."""
        stars = np.empty(len(u), np.float32)
        for start in range(0, len(u), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            stars[some] = self._expected(u[some], m[some])
        return stars

    def _expected(self, u: NDArray[np.intp], m: NDArray[np.intp]) -> Floats:
        stars = self.user_bias[u] + self.movie_bias[m] + np.float32(self.mean)
        stars += np.einsum("nk,nk->n", self.user_factors[u], self.movie_factors[m])
        stars += np.where(self.movie_rated[m], np.float32(0.0), self.user_choice[u])
        stars += np.where(self.user_rated[u], np.float32(0.0), self.movie_choice[m])
        return stars

    def user_rows(self, users: Ids) -> NDArray[np.intp]:
        """The row of each user, U for strangers."""
        at, found = positions(users, self.users)
        return np.where(found, at, len(self.users))

    def movie_rows(self, movies: Ids) -> NDArray[np.intp]:
        """The row of each movie, M for those nobody has heard of."""
        at, found = positions(movies, self.movies)
        return np.where(found, at, len(self.movies))

    def user_side(self, users: Ids) -> Floats:
        """Factors (n, k + 3) that times those of ``movie_side`` are stars, but for what is alike for all movies."""
        u = self.user_rows(users)
        extra = np.ones(len(u), np.float32), self.user_choice[u], (~self.user_rated[u]).astype(np.float32)
        return np.column_stack([self.user_factors[u], *extra])

    def movie_side(self, movies: Ids) -> Floats:
        """The movies' factors (n, k + 3), for ``user_side``."""
        m = self.movie_rows(movies)
        extra = self.movie_bias[m], (~self.movie_rated[m]).astype(np.float32), self.movie_choice[m]
        return np.column_stack([self.movie_factors[m], *extra])

    def fold_in(self, movies: Ids, ratings: Floats) -> RatingTable:
        """A table with one user, id 0, known by these ratings alone.

        His row has the posterior of a linear-Gaussian model: the rows of the known users are the prior, σ² and v_m the
        noise (Bishop 2006, eq. 3.49-3.51, in x = [b_u, p_u]). What is left unknown of it is added to v_m, and his v_u
        is the median user's, times how far his ratings were from what was expected, damped by NOISE_FREEDOM.
        """
        rated = np.append(self.user_rated[:-1], False)
        known = np.column_stack([self.user_bias, self.user_factors])[rated].astype(np.float64)
        centre = known.mean(axis=0)
        prior = np.cov(known, rowvar=False).reshape(len(centre), -1) if len(known) > 1 else np.eye(len(centre))
        usual = (self.noise or 1.0) + float(np.median(self.user_variance[rated]))
        movie_ids = np.column_stack([np.ones(len(self.movie_bias), np.float32), self.movie_factors])
        m = self.movie_rows(movies)
        design = movie_ids[m].astype(np.float64)
        gain = prior @ design.T
        residual = ratings - self.mean - self.movie_bias[m] - design @ centre
        covariance = design @ gain + np.diag(usual + self.movie_variance[m])
        solved = np.linalg.solve(covariance, np.column_stack([residual, gain.T]))
        row, left = centre + gain @ solved[:, 0], np.asarray(prior - gain @ solved[:, 1:], np.float32)
        unsteady = (NOISE_FREEDOM + residual @ solved[:, 0]) / (NOISE_FREEDOM + len(m))
        unknown = np.maximum(np.einsum("nk,nk->n", movie_ids @ left, movie_ids), 0.0)
        return replace(
            self,
            users=np.zeros(1, np.int32),
            user_bias=np.array([row[0], self.user_bias[-1]], np.float32),
            user_factors=np.array([row[1:], self.user_factors[-1]], np.float32),
            user_variance=np.array([usual * unsteady - self.noise, self.user_variance[-1]], np.float32),
            movie_variance=self.movie_variance + unknown,
            user_rated=np.array([True, False]),
            user_choice=np.repeat(self.user_choice[-1:], 2),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The table as named arrays, for an artifact."""
        numbers = np.array([self.mean, self.low, self.high, self.noise, self.half_width], np.float64)
        return {"numbers": numbers} | {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RatingTable:
        """The inverse of ``arrays``."""
        mean, low, high, noise, half_width = (float(number) for number in arrays["numbers"])
        return cls(mean, low, high, noise, half_width, **{name: arrays[name] for name in _ARRAYS})


_ARRAYS = (
    "users",
    "movies",
    "user_bias",
    "movie_bias",
    "user_factors",
    "movie_factors",
    "user_variance",
    "movie_variance",
    "user_rated",
    "movie_rated",
    "user_choice",
    "movie_choice",
)
