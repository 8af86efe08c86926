"""Ratings by biases alone: the damped means that every other model starts from.

Here: their fitting. Not here: prediction (``table``).
"""

from __future__ import annotations

import numpy as np

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

NORMAL_80 = 1.2815515655446004
"""Half the width of a normal distribution's central 80 %, in standard deviations."""


def fit_biases(train: Ratings, catalogue: Catalogue, *, user_damping: float, movie_damping: float) -> RatingTable:
    """r(u, m) ≈ μ + b_m + b_u, movies first: b_m = Σ(r - μ) / (n_m + damping), then users on what is left.

    The damping is how many average ratings we imagine first (Koren 2009, section 3.1). ``train`` is not empty.
    """
    users = np.unique(train.users)
    movies = np.union1d(train.movies, catalogue.movies).astype(np.int32)
    u, m = np.searchsorted(users, train.users), np.searchsorted(movies, train.movies)
    stars = train.ratings.astype(np.float64)
    mean = float(stars.mean())
    counts_m, counts_u = np.bincount(m, minlength=len(movies)), np.bincount(u, minlength=len(users))
    b_m = np.bincount(m, stars - mean, len(movies)) / (counts_m + movie_damping)
    b_u = np.bincount(u, stars - mean - b_m[m], len(users)) / (counts_u + user_damping)
    noise = float(np.mean((stars - mean - b_m[m] - b_u[u]) ** 2))
    return RatingTable(
        mean=mean,
        low=float(stars.min()),
        high=float(stars.max()),
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
