"""ALS as one rating table, with a row for every movie of the catalogue.

Here: the table. Not here: the sweeps (``als``), predictive variance (``uncertainty``), movies and users without ratings
(``cold_start``), prediction (``rating_table``).
"""

from __future__ import annotations

import logging

import numpy as np

from cinematch_assets.logs import log_phase
from cinematch_assets.recommender.config import AlsConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ratings
from cinematch_assets.recommender.kernels.parallel import one_blas_thread
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.rating_prediction.als import AlsFactors, fit_als
from cinematch_assets.recommender.rating_prediction.cold_start import add_cold_start
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.rating_prediction.uncertainty import PredictiveVariance, fit_uncertainty

logger = logging.getLogger(__name__)


def fit_als_table(
    train: Ratings,
    catalogue: Catalogue,
    config: AlsConfig,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> RatingTable:
    """Fit ALS to ``train``, which has each (user, movie) once, and make a table of it.

    The predictive variance is fitted to held-out ratings; where there are none, predictions have none.
    """
    with log_phase(logger, "ALS on %d ratings, %d factors, %d sweeps", len(train), config.factors, config.sweeps):
        fitted = fit_als(train, config, rng, progress)
    with log_phase(logger, "rating table of ALS"):
        return build_table(fitted, train, catalogue)


def build_table(fitted: AlsFactors, train: Ratings, catalogue: Catalogue) -> RatingTable:
    """The table of factors ``fitted`` to ``train``, with a row for every movie of the catalogue."""
    movies = np.union1d(fitted.movies, catalogue.movies).astype(np.int32)
    known = np.append(np.isin(movies, fitted.movies), False)
    rows = np.zeros((len(movies) + 1, 1 + fitted.movie_factors.shape[1]), np.float32)
    rows[known, 0], rows[known, 1:] = fitted.movie_bias, fitted.movie_factors
    if fitted.holdout:
        with one_blas_thread():
            variance = fit_uncertainty(fitted.holdout)
    else:
        variance = PredictiveVariance.unknown(len(fitted.users), len(fitted.movies))
    movie_variance = np.zeros(len(movies) + 1, np.float32)
    movie_variance[known] = variance.movies
    table = RatingTable(
        mean=fitted.mean,
        low=float(train.ratings.min()),
        high=float(train.ratings.max()),
        noise=variance.noise,
        half_width=variance.half_width,
        users=fitted.users,
        movies=movies,
        user_bias=np.append(fitted.user_bias, np.float32(0.0)),
        movie_bias=np.ascontiguousarray(rows[:, 0]),
        user_factors=_append_zeros(fitted.user_factors),
        movie_factors=np.ascontiguousarray(rows[:, 1:]),
        user_variance=np.append(variance.users, np.float32(0.0)),
        movie_variance=movie_variance,
        user_rated=np.append(np.ones(len(fitted.users), np.bool_), False),
        movie_rated=known,
        user_choice=np.zeros(len(fitted.users) + 1, np.float32),
        movie_choice=np.zeros(len(movies) + 1, np.float32),
    )
    with one_blas_thread():
        return add_cold_start(table, train, catalogue)


def _append_zeros(factors: Floats) -> Floats:
    """The factors (n, f) with a last row of zeros, which stands for unknown users."""
    return np.concatenate([factors, np.zeros((1, factors.shape[1]), np.float32)])
