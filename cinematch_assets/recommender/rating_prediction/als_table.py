"""Ratings by alternating least squares, for more rows than can be sampled: its fit as one table of stars.

Here: the table. Not here: the sweeps (``als``), their errors (``spread``), movies without ratings (``strangers``),
prediction (``table``).
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.config import AlsConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ratings
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.rating_prediction.als import Als, fit_als
from cinematch_assets.recommender.rating_prediction.cold_start import lean_on_descriptions
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.rating_prediction.uncertainty import Spread, fit_spread


def fit_factors(train: Ratings, catalogue: Catalogue, config: AlsConfig, seed: int, report: Progress) -> RatingTable:
    """Fit ALS on ``train``, which has each (user, movie) once, and give every movie of the catalogue a row.

    The spread is learned from ratings that the first sweeps had not seen; where none were put aside, there is none.
    """
    return table_of(fit_als(train, config, seed, report), train, catalogue)


def table_of(fitted: Als, train: Ratings, catalogue: Catalogue) -> RatingTable:
    """What was ``fitted`` to ``train`` as a table, with a row for every movie of the catalogue."""
    movies = np.union1d(fitted.movies, catalogue.movies).astype(np.int32)
    known = np.append(np.isin(movies, fitted.movies), False)
    rows = np.zeros((len(movies) + 1, 1 + fitted.movie_factors.shape[1]), np.float32)
    rows[known, 0], rows[known, 1:] = fitted.movie_bias, fitted.movie_factors
    with threadpool_limits(limits=1):
        spread = fit_spread(fitted.trial) if fitted.trial else Spread.none(len(fitted.users), len(fitted.movies))
    movie_variance = np.zeros(len(movies) + 1, np.float32)
    movie_variance[known] = spread.movies
    table = RatingTable(
        mean=fitted.mean,
        low=float(train.ratings.min()),
        high=float(train.ratings.max()),
        noise=spread.noise,
        half_width=spread.half_width,
        users=fitted.users,
        movies=movies,
        user_bias=np.append(fitted.user_bias, np.float32(0.0)),
        movie_bias=np.ascontiguousarray(rows[:, 0]),
        user_factors=_with_last(fitted.user_factors),
        movie_factors=np.ascontiguousarray(rows[:, 1:]),
        user_variance=np.append(spread.users, np.float32(0.0)),
        movie_variance=movie_variance,
        user_rated=np.append(np.ones(len(fitted.users), np.bool_), False),
        movie_rated=known,
        user_choice=np.zeros(len(fitted.users) + 1, np.float32),
        movie_choice=np.zeros(len(movies) + 1, np.float32),
    )
    with threadpool_limits(limits=1):
        return lean_on_descriptions(table, train, catalogue)


def _with_last(factors: Floats) -> Floats:
    """The factors with a row of zeros for strangers."""
    return np.concatenate([factors, np.zeros((1, factors.shape[1]), np.float32)])
