"""The rating table: biases and factors, which every rating model is reduced to once it is fitted.

Here: prediction from the table, and folding in a new user. Not here: its fit (``bias``, ``bayesian_fm``,
``als_table``), its rows for movies and users without ratings (``cold_start``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import positions
from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.protocol import Predictions

BLOCK_ROWS = 1 << 17
"""Rows predicted at once: with 64 factors their two sides are 64 MB."""

NOISE_PSEUDO_RATINGS = 4.0
"""η, prior pseudo-count (ratings) of the per-user noise variance; 2 and 10 did as well on validation rows."""

INTERVAL_SHARE = 0.8
"""The share of ratings that a prediction interval is to hold."""


@dataclass(frozen=True, slots=True)
class RatingTable:
    """r(u, m) ≈ clip(μ + b_u + b_m + p_u · q_m, low, high), with variance σ² + v_u + v_m.

    ``v_u`` is below zero for users who are more consistent than most.

    ``users`` (U,) and ``movies`` (M,) are ascending. Row U of the user arrays, shapes (U + 1,) and (U + 1, k), stands
    for unknown users, row M of the movie arrays for unknown movies. ``*_rated`` is true with a rating in training.
    """

    mean: float
    low: float
    high: float
    noise: float  # σ², the variance of a rating around its prediction; 0: the method gives no variance
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
        """Predicted rating and its standard deviation for each (user, movie) row, (n,)."""
        u, m = self.user_rows(users), self.movie_rows(movies)
        std = np.sqrt(self.noise + self.user_variance[u] + self.movie_variance[m]) if self.noise > 0 else None
        return Predictions(
            ratings=np.clip(self.expected(u, m), np.float32(self.low), np.float32(self.high)),
            std=None if std is None else std.astype(np.float32),
            user_known=self.user_rated[u],
            movie_known=self.movie_rated[m],
            half_width=None if std is None else (std * self.half_width).astype(np.float32),
        )

    def expected(self, u: NDArray[np.intp], m: NDArray[np.intp], *, block_rows: int = BLOCK_ROWS) -> Floats:
        """Predicted ratings, before clipping, of pairs (n,) of table rows."""
        ratings = np.empty(len(u), np.float32)
        for start in range(0, len(u), block_rows):
            block = slice(start, start + block_rows)
            ratings[block] = self._expected(u[block], m[block])
        return ratings

    def _expected(self, u: NDArray[np.intp], m: NDArray[np.intp]) -> Floats:
        ratings = self.user_bias[u] + self.movie_bias[m] + np.float32(self.mean)
        ratings += np.einsum("nk,nk->n", self.user_factors[u], self.movie_factors[m])
        ratings += np.where(self.movie_rated[m], np.float32(0.0), self.user_choice[u])
        ratings += np.where(self.user_rated[u], np.float32(0.0), self.movie_choice[m])
        return ratings

    def user_rows(self, users: Ids) -> NDArray[np.intp]:
        """The row of each user, U for unknown users."""
        rows, found = positions(users, self.users)
        return np.where(found, rows, len(self.users))

    def movie_rows(self, movies: Ids) -> NDArray[np.intp]:
        """The row of each movie, M for unknown movies."""
        rows, found = positions(movies, self.movies)
        return np.where(found, rows, len(self.movies))

    def user_side(self, users: Ids) -> Floats:
        """Factors (n, k + 3) whose product with ``movie_side`` orders movies as predicted ratings do.

        What a user's predictions have in common is left out.
        """
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

        The user's row is the posterior mean of a linear-Gaussian model: the rows of the known users are the prior, σ²
        and v_m the noise (Bishop 2006, eq. 3.49-3.51, in x = [b_u, p_u]). Its posterior covariance is added to v_m.
        The user's v_u is the median user's, scaled by how far the ratings were from what was expected, with the prior
        of NOISE_PSEUDO_RATINGS.
        """
        # The prior: mean and covariance of the known users' rows.
        rated = np.append(self.user_rated[:-1], False)
        known = np.column_stack([self.user_bias, self.user_factors])[rated].astype(np.float64)
        prior_mean = known.mean(axis=0)
        prior = np.cov(known, rowvar=False).reshape(len(prior_mean), -1) if len(known) > 1 else np.eye(len(prior_mean))
        usual_noise = (self.noise or 1.0) + float(np.median(self.user_variance[rated]))
        # The observations: residual = design · (x − prior mean) + noise, and their covariance.
        movie_rows = np.column_stack([np.ones(len(self.movie_bias), np.float32), self.movie_factors])
        m = self.movie_rows(movies)
        design = movie_rows[m].astype(np.float64)
        cross = prior @ design.T
        residual = ratings - self.mean - self.movie_bias[m] - design @ prior_mean
        covariance = design @ cross + np.diag(usual_noise + self.movie_variance[m])
        # The posterior of x, and how far the residuals are from their expectation.
        solved = np.linalg.solve(covariance, np.column_stack([residual, cross.T]))
        row, posterior = prior_mean + cross @ solved[:, 0], np.asarray(prior - cross @ solved[:, 1:], np.float32)
        noise_ratio = (NOISE_PSEUDO_RATINGS + residual @ solved[:, 0]) / (NOISE_PSEUDO_RATINGS + len(m))
        posterior_variance = np.maximum(np.einsum("nk,nk->n", movie_rows @ posterior, movie_rows), 0.0)
        return replace(
            self,
            users=np.zeros(1, np.int32),
            user_bias=np.array([row[0], self.user_bias[-1]], np.float32),
            user_factors=np.array([row[1:], self.user_factors[-1]], np.float32),
            user_variance=np.array([usual_noise * noise_ratio - self.noise, self.user_variance[-1]], np.float32),
            movie_variance=self.movie_variance + posterior_variance,
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
