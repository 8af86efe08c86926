"""ALS without biases, fitted by another program to the residuals of ours, as one rating table.

Here: the residuals it is given, and the table of what it gives back. Not here: the program and how it is started
(``pipeline.models.spark_exchange``), ALS in this process (``als``), predictive variance (``uncertainty``).

Spark's ALS fits r ≈ p_u · q_i, without a mean and without biases. Damped biases are therefore fitted here, which is one
pass over the ratings, and it is given what they leave: r(u, i) − μ − b_u − b_i ≈ p_u · q_i. Some ratings are held out
of a first, shorter fit, for the same reason as in ``als``: their errors tell the variance of new ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.ids import distinct, positions
from cinematch_assets.logs import log_phase
from cinematch_assets.plurals import count
from cinematch_assets.recommender.config import BiasConfig, SparkAlsConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ids, Ratings
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

if TYPE_CHECKING:
    from cinematch_assets.recommender.rating_prediction.als import HoldoutResiduals

CHUNK_ROWS = 1 << 20
"""Ratings predicted at once."""

logger = logging.getLogger(__name__)


class UnusableFactorsError(CinematchError):
    """The factors that came back are not those of the ratings that were sent."""


@dataclass(frozen=True, slots=True)
class ResidualRows:
    """What is fitted: (user, movie, residual), (n,), by user and movie.

    ``holdout_residuals`` (n,) are those of biases without the held-out ratings, and NaN where a rating is held out;
    None where nothing is.
    """

    users: Ids
    movies: Ids
    residuals: Floats
    holdout_residuals: Floats | None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Factors:
    """``users`` (U,) and ``movies`` (M,) ascending, and their factors (U, f) and (M, f), float32."""

    users: Ids
    movies: Ids
    user_factors: Floats
    movie_factors: Floats


@dataclass(frozen=True, slots=True)
class ResidualFit:
    """Factors of all rows, those without the held-out ones, and versions of what computed them."""

    factors: Factors
    without_holdout: Factors | None
    computed_by: Mapping[str, str] = field(default_factory=dict)


class ResidualTrainer(Protocol):
    """Fits factors to residuals; the same rows, config and seed give the same factors."""

    def __call__(self, rows: ResidualRows, config: SparkAlsConfig, seed: int, progress: Progress) -> ResidualFit:
        """Fit ``config.factors`` factors."""


def fit_residual_table(
    train: Ratings,
    catalogue: Catalogue,
    config: SparkAlsConfig,
    seed: int,
    trainer: ResidualTrainer,
    progress: Progress = no_progress,
) -> tuple[RatingTable, Mapping[str, str]]:
    """Fit to ``train``, which has each (user, movie) once; return the table and versions of what computed its factors.

    Raises:
        UnusableFactorsError: factors are missing, not finite, or of users and movies that were not sent.
    """
    from cinematch_assets.recommender.rating_prediction.als import AlsFactors, draw_holdout  # noqa: PLC0415  loads numba
    from cinematch_assets.recommender.rating_prediction.als_table import build_table  # noqa: PLC0415  loads numba

    holdout = draw_holdout(len(train), np.random.default_rng(seed))
    none = Catalogue.without_titles(np.zeros(0, np.int32))
    biases = fit_bias(train, none, BiasConfig())
    held = np.zeros(len(train), np.bool_)
    held[holdout] = True
    earlier = fit_bias(train.where(~held), none, BiasConfig()) if len(holdout) else None
    rows = ResidualRows(
        train.users,
        train.movies,
        _residuals(biases, train),
        None if earlier is None else np.where(held, np.float32(np.nan), _residuals(earlier, train)),
    )
    fit = trainer(rows, config, seed, progress)
    progress("ratings", 1.0)
    fitted = _align(fit.factors, biases, config.factors)
    residuals = None
    if earlier is not None and fit.without_holdout is not None:
        with log_phase(logger, "errors of %d held-out ratings", len(holdout)):
            residuals = _holdout_residuals(_align(fit.without_holdout, earlier, config.factors), train, held)
    factors = AlsFactors(
        fitted.mean,
        fitted.users,
        fitted.movies,
        fitted.user_bias[:-1],
        fitted.movie_bias[:-1],
        fitted.user_factors[:-1],
        fitted.movie_factors[:-1],
        holdout=residuals,
    )
    return build_table(factors, train, catalogue), fit.computed_by


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS))


def _residuals(biases: RatingTable, train: Ratings) -> Floats:
    """Residuals r − μ − b_u − b_i of each row, (n,)."""
    residuals = np.empty(len(train), np.float32)
    for chunk in _chunks(len(train)):
        rows = biases.user_rows(train.users[chunk]), biases.movie_rows(train.movies[chunk])
        residuals[chunk] = train.ratings[chunk] - biases.expected(*rows)
    return residuals


def _align(factors: Factors, biases: RatingTable, width: int) -> RatingTable:
    """The biases with these factors beside them, row by row; the last rows, of unknown ids, are zeros.

    Raises:
        UnusableFactorsError: see ``fit_residual_table``.
    """
    sides = []
    for name, known, ids, rows in (
        ("user", biases.users, factors.users, factors.user_factors),
        ("movie", biases.movies, factors.movies, factors.movie_factors),
    ):
        if rows.shape != (len(ids), width) or not np.array_equal(ids, known):
            raise UnusableFactorsError(
                f"factors of {count(len(ids), name)} came back, {rows.shape[-1]} each, and those of "
                f"{len(known):,} were asked for, {width} each"
            )
        if not np.isfinite(rows).all():
            raise UnusableFactorsError(f"factors of {name}s came back that are not finite numbers")
        sides.append(np.concatenate([rows, np.zeros((1, width), np.float32)]))
    return replace(biases, user_factors=sides[0], movie_factors=sides[1])


def _holdout_residuals(table: RatingTable, train: Ratings, held: NDArray[np.bool_]) -> HoldoutResiduals:
    """Errors of a table that was fitted without the rows ``held``, numbered as the users and movies of all rows are."""
    from cinematch_assets.recommender.rating_prediction.als import HoldoutResiduals  # noqa: PLC0415  loads numba

    users, movies = distinct(train.users), distinct(train.movies)
    squares, errors = np.zeros(len(users)), []
    user_counts, movie_counts = np.zeros(len(users), np.int64), np.zeros(len(movies), np.int64)
    for chunk in _chunks(len(train)):
        error = table.predict(train.users[chunk], train.movies[chunk]).ratings - train.ratings[chunk]
        fitted = ~held[chunk]
        u = positions(train.users[chunk][fitted], users)[0]
        squares += np.bincount(u, error[fitted].astype(np.float64) ** 2, len(users))
        user_counts += np.bincount(u, minlength=len(users))
        movie_counts += np.bincount(positions(train.movies[chunk][fitted], movies)[0], minlength=len(movies))
        errors.append(error[held[chunk]])
    return HoldoutResiduals(
        users=positions(train.users[held], users)[0],
        movies=positions(train.movies[held], movies)[0].astype(np.int32),
        errors=np.concatenate(errors),
        user_squares=squares,
        user_counts=user_counts,
        movie_counts=movie_counts,
    )
