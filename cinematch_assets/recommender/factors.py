"""Ratings by alternating least squares, for more rows than can be sampled: its fit as one table of stars.

Here: what ALS has no answer for, which is films without ratings: they lean on their genres, components and years. Not
here: the sweeps (``als``), prediction (``stars``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.als import Als, AlsConfig, fit_als
from cinematch_assets.recommender.data import Catalogue, Floats, Ids, Progress, Ratings
from cinematch_assets.recommender.design import describe_movies
from cinematch_assets.recommender.stars import StarTable

DESCRIPTION_RIDGE = 20.0
"""How many films with a description a weight imagines that have none of it."""


def fit_factors(train: Ratings, catalogue: Catalogue, config: AlsConfig, seed: int, report: Progress) -> StarTable:
    """Fit ALS on ``train``, which has each (user, movie) once, and give every film of the catalogue a row.

    There is no spread: least squares say what is expected, and nothing about how far off it is for whom.
    """
    fitted = fit_als(train, config, seed, report)
    movies = np.union1d(fitted.movies, catalogue.movies).astype(np.int32)
    known = np.append(np.isin(movies, fitted.movies), False)
    counts = np.bincount(np.searchsorted(fitted.movies, train.movies), minlength=len(fitted.movies))
    rows = _with_newcomers(fitted, movies, known, counts, catalogue)
    return StarTable(
        mean=fitted.mean,
        low=float(train.ratings.min()),
        high=float(train.ratings.max()),
        noise=0.0,
        half_width=0.0,
        users=fitted.users,
        movies=movies,
        user_bias=np.append(fitted.user_bias, np.float32(0.0)),
        movie_bias=np.ascontiguousarray(rows[:, 0]),
        user_factors=_with_last(fitted.user_factors),
        movie_factors=np.ascontiguousarray(rows[:, 1:]),
        user_variance=np.zeros(len(fitted.users) + 1, np.float32),
        movie_variance=np.zeros(len(movies) + 1, np.float32),
        user_rated=np.append(np.ones(len(fitted.users), np.bool_), False),
        movie_rated=known,
    )


def _with_newcomers(
    fitted: Als, movies: Ids, known: NDArray[np.bool_], counts: NDArray[np.intp], catalogue: Catalogue
) -> Floats:
    """Bias and factors (M + 1, 1 + f): ALS' own where there are ratings, else a ridge regression on descriptions.

    Films with more ratings weigh more, up to a point: n / (n + ridge).
    """
    rows = np.zeros((len(movies) + 1, 1 + fitted.movie_factors.shape[1]), np.float32)
    rows[known, 0], rows[known, 1:] = fitted.movie_bias, fitted.movie_factors
    groups = describe_movies(movies, catalogue)
    if not groups or known[:-1].all():
        return rows
    described = np.column_stack([np.ones(len(movies) + 1, np.float32), *groups])
    weight = (counts / (counts + DESCRIPTION_RIDGE)).astype(np.float32)[:, None]
    taught = described[known]
    gram = (taught * weight).T @ taught + DESCRIPTION_RIDGE * np.diag([0.0] + [1.0] * (described.shape[1] - 1))
    weights = np.linalg.solve(gram, (taught * weight).T @ rows[known])
    rows[~known] = described[~known] @ weights
    return rows


def _with_last(factors: Floats) -> Floats:
    """The factors with a row of zeros for strangers."""
    return np.concatenate([factors, np.zeros((1, factors.shape[1]), np.float32)])
