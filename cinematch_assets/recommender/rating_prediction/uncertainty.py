"""How far off least squares are, and for whom: a variance learned from ratings that a fit had not seen.

Here: the variance of a rating around its prediction, and the width of its 80 % interval. Not here: which rows are put
aside for it (``als``), movies and users without ratings (``strangers``).

Var(r − r̂) = c + a·(1 / (n_u + d) + 1 / (n_m + d)) + b·s_u: the variance of a damped mean of n ratings on either side,
and the user's own consistency, his mean squared error on ratings that were learned from. That is too small a number,
and too small by more where he has few ratings; b and a, learned from unseen ones, set it right. With an a for each side
users with few ratings, of whom a trial has few rows, got intervals that hold 75 to 83 % on one set, with one for both
80 to 83 % (eight splits of training rows).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from cinematch_assets.recommender.data import Floats
from cinematch_assets.recommender.rating_prediction.als import Trial
from cinematch_assets.recommender.rating_prediction.gibbs import INTERVAL

IMAGINED = 5.0
"""d, and how many ratings of average consistency we imagine of each user; 20 did worse on validation rows."""

ROUNDS = 5
"""Of weighted least squares; the weights no longer change to three digits."""

Wide = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """σ² + v_u + v_m of a table of stars, and the half width of 80 % in standard deviations.

    ``users`` (U,) is below zero for who is more consistent than most, ``movies`` (M,) is not. With a ``noise`` of 0
    there is no spread.
    """

    noise: float
    half_width: float
    users: Floats
    movies: Floats

    @classmethod
    def none(cls, users: int, movies: int) -> Spread:
        """Where nothing was put aside, nothing is known."""
        return cls(0.0, 0.0, np.zeros(users, np.float32), np.zeros(movies, np.float32))


def fit_spread(trial: Trial) -> Spread:
    """Learn the variance from a trial, for a model that has learned from the rows put aside as well.

    Squared errors are regressed on the three terms, each weighed by one over its own variance, which goes with the
    square of what is expected of it. No term may lower the variance, so it is above zero for everyone. The bytes are
    the same on any number of threads if the linear algebra has one.
    """
    squares = trial.errors.astype(np.float64) ** 2
    average = float(trial.user_squares.sum() / trial.user_counts.sum())
    consistency = (trial.user_squares + IMAGINED * average) / (trial.user_counts + IMAGINED)
    terms = np.column_stack(
        [
            np.ones(len(squares)),
            _few(trial.user_counts)[trial.users] + _few(trial.movie_counts)[trial.movies],
            consistency[trial.users],
        ]
    )
    weights = _regressed(terms, squares)
    variance = terms @ weights
    if not variance.min() > 0:
        return Spread.none(len(trial.user_counts), len(trial.movie_counts))
    constant, of_few, of_consistency = weights
    user_counts = trial.user_counts + np.bincount(trial.users, minlength=len(trial.user_counts))
    movie_counts = trial.movie_counts + np.bincount(trial.movies, minlength=len(trial.movie_counts))
    users = of_few * _few(user_counts) + of_consistency * (consistency - average)
    return Spread(
        noise=float(constant + of_consistency * average),
        half_width=float(np.quantile(np.sqrt(squares / variance), INTERVAL)),
        users=users.astype(np.float32),
        movies=(of_few * _few(movie_counts)).astype(np.float32),
    )


def _few(counts: NDArray[np.int64]) -> Wide:
    return np.asarray(1.0 / (counts + IMAGINED), np.float64)


def _regressed(terms: Wide, squares: Wide) -> Wide:
    """Weights (t,), none below zero, with which ``terms`` (k, t) add up to what is expected of ``squares`` (k,).

    Only the triangle of a QR decomposition, (t + 1, t + 1), is searched for them: its distances are those of all rows.
    """
    expected = np.full(len(squares), max(float(squares.mean()), 1e-12))
    weights = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        weighed = np.column_stack([terms, squares]) / expected[:, None]
        triangle = np.asarray(np.linalg.qr(weighed, mode="r"), np.float64)
        weights = nnls(triangle[:, :-1], triangle[:, -1])[0]
        expected = np.maximum(terms @ weights, 1e-12)
    return weights
