"""Ratings by biases alone: damped means of movies and users.

Here: their fit. Not here: prediction (``rating_table``).
"""

from __future__ import annotations

import logging

import numpy as np

from cinematch_assets.ids import distinct, positions
from cinematch_assets.logs import log_phase
from cinematch_assets.recommender.config import BiasConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

NORMAL_80 = 1.2815515655446004
"""Half the width of a normal distribution's central 80 %, in standard deviations."""

logger = logging.getLogger(__name__)


def fit_bias(
    train: Ratings,
    catalogue: Catalogue,
    config: BiasConfig,
    rng: np.random.Generator | None = None,  # noqa: ARG001  the signature of every trainer; nothing is random here
    progress: Progress = no_progress,
) -> RatingTable:
    """Fit r(u, m) ≈ μ + b_m + b_u, movies first: b_m = Σ(r − μ) / (n_m + damping), then users on the residuals.

    The damping is a pseudo-count of average ratings (Koren 2009, section 3.1). ``train`` is not
    empty and has each (user, movie) once.
    """
    with log_phase(logger, "biases on %d ratings", len(train)):
        table = _fit(train, catalogue, config)
    progress("ratings", 1.0)
    return table


def _fit(train: Ratings, catalogue: Catalogue, config: BiasConfig) -> RatingTable:
    users = distinct(train.users)
    movies = np.union1d(distinct(train.movies), catalogue.movies).astype(np.int32)
    u, m = positions(train.users, users)[0], positions(train.movies, movies)[0]
    ratings = train.ratings.astype(np.float64)
    mean = float(ratings.mean())
    counts_m, counts_u = np.bincount(m, minlength=len(movies)), np.bincount(u, minlength=len(users))
    b_m = np.bincount(m, ratings - mean, len(movies)) / (counts_m + config.movie_damping)
    b_u = np.bincount(u, ratings - mean - b_m[m], len(users)) / (counts_u + config.user_damping)
    noise = float(np.mean((ratings - mean - b_m[m] - b_u[u]) ** 2))
    return RatingTable(
        mean=mean,
        low=float(ratings.min()),
        high=float(ratings.max()),
        noise=noise,
        half_width=NORMAL_80,
        users=users,
        movies=movies,
        user_bias=np.append(b_u, 0.0).astype(np.float32),
        movie_bias=np.append(b_m, 0.0).astype(np.float32),
        user_factors=np.zeros((len(users) + 1, 0), np.float32),
        movie_factors=np.zeros((len(movies) + 1, 0), np.float32),
        user_variance=np.zeros(len(users) + 1, np.float32),
        movie_variance=np.zeros(len(movies) + 1, np.float32),
        user_rated=np.append(counts_u > 0, False),
        movie_rated=np.append(counts_m > 0, False),
        user_choice=np.zeros(len(users) + 1, np.float32),
        movie_choice=np.zeros(len(movies) + 1, np.float32),
    )
