"""Predictive variance for ALS, fitted to held-out residuals.

Here: the variance of a rating around its prediction, and the width of its 80 % interval. Not here: which ratings are
held out (``als``), movies and users without ratings (``cold_start``).

Var(r − r̂) = c + a·(1 / (n_u + d) + 1 / (n_m + d)) + b·s_u: a constant, the variance of a damped mean of n ratings on
either side, and the user's own mean squared error s_u on ratings that were trained on. These errors are too small, and
more so for users with few ratings; a and b, fitted to held-out ratings, correct that. With an a of its own for each
side, the intervals of users with few ratings, of which the holdout has few rows, held 75 to 83 % of ratings on one data
set; with one a for both sides 80 to 83 % (eight splits of training rows).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from cinematch_assets.recommender.data import F64, Floats
from cinematch_assets.recommender.rating_prediction.als import HoldoutResiduals
from cinematch_assets.recommender.rating_prediction.rating_table import INTERVAL_SHARE

PSEUDO_RATINGS = 5.0
"""d, also the prior pseudo-count (ratings) of a user's mean squared error; 20 did worse on validation rows."""

REWEIGHTINGS = 5
"""Rounds of weighted least squares; after these the weights no longer change to three digits."""


@dataclass(frozen=True, slots=True)
class PredictiveVariance:
    """σ² + v_u + v_m of a rating table, and the half-width of the 80 % interval in standard deviations.

    ``users`` (U,) are below zero for users who are more consistent than most; ``movies`` (M,) are not. With a ``noise``
    of 0 the variance is unknown.
    """

    noise: float
    half_width: float
    users: Floats
    movies: Floats

    @classmethod
    def unknown(cls, users: int, movies: int) -> PredictiveVariance:
        """No variance: nothing was held out to fit it to."""
        return cls(0.0, 0.0, np.zeros(users, np.float32), np.zeros(movies, np.float32))


def fit_uncertainty(holdout: HoldoutResiduals) -> PredictiveVariance:
    """Fit the variance of a model that has since been trained on the held-out ratings as well.

    Squared errors are regressed on the three terms, each row weighted by the inverse of its own variance, which is
    proportional to the square of its expectation. No coefficient is negative, so the variance is above zero for all.
    With BLAS on one thread, the bytes are the same on any number of threads.
    """
    squares = holdout.errors.astype(np.float64) ** 2
    average = float(holdout.user_squares.sum() / holdout.user_counts.sum())
    own_error = (holdout.user_squares + PSEUDO_RATINGS * average) / (holdout.user_counts + PSEUDO_RATINGS)
    terms = np.column_stack(
        [
            np.ones(len(squares)),
            _damped_inverse(holdout.user_counts)[holdout.users] + _damped_inverse(holdout.movie_counts)[holdout.movies],
            own_error[holdout.users],
        ]
    )
    coefficients = _regress_squares(terms, squares)
    variance = terms @ coefficients
    if not variance.min() > 0:
        return PredictiveVariance.unknown(len(holdout.user_counts), len(holdout.movie_counts))
    c, a, b = coefficients
    user_counts = holdout.user_counts + np.bincount(holdout.users, minlength=len(holdout.user_counts))
    movie_counts = holdout.movie_counts + np.bincount(holdout.movies, minlength=len(holdout.movie_counts))
    users = a * _damped_inverse(user_counts) + b * (own_error - average)
    return PredictiveVariance(
        noise=float(c + b * average),
        half_width=float(np.quantile(np.sqrt(squares / variance), INTERVAL_SHARE)),
        users=users.astype(np.float32),
        movies=(a * _damped_inverse(movie_counts)).astype(np.float32),
    )


def _damped_inverse(counts: NDArray[np.int64]) -> F64:
    """1 / (n + d)."""
    return np.asarray(1.0 / (counts + PSEUDO_RATINGS), np.float64)


def _regress_squares(terms: F64, squares: F64) -> F64:
    """Coefficients (t,), none negative, with which ``terms`` (k, t) add up to the expectation of ``squares`` (k,).

    Non-negative least squares on the triangle of a QR decomposition, (t + 1, t + 1), has the solution of all rows.
    """
    expected = np.full(len(squares), max(float(squares.mean()), 1e-12))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(REWEIGHTINGS):
        weighted = np.column_stack([terms, squares]) / expected[:, None]
        triangle = np.asarray(np.linalg.qr(weighted, mode="r"), np.float64)
        coefficients = nnls(triangle[:, :-1], triangle[:, -1])[0]
        expected = np.maximum(terms @ coefficients, 1e-12)
    return coefficients
