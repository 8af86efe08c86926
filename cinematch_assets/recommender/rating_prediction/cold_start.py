"""Cold start: rows of a rating table, and their variance, for movies and users without ratings.

Here: these rows. Not here: the fit of the others (``bayesian_fm``, ``als``), new users who name a few movies
(``rating_table``).

Ratings do not fall on movies at random: people rate what they chose to see, and like it better than its description
says. A new movie is therefore predicted to be as far above its description as the movies that this user picks
(``user_choice``), and a new user to be as generous as the people who pick this movie (``movie_choice``). The variance
follows from training rows: each is predicted as if its movie, or its user, had no ratings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import F64, Catalogue, Floats, Ratings
from cinematch_assets.recommender.rating_prediction.design import describe_movies
from cinematch_assets.recommender.rating_prediction.rating_table import INTERVAL_SHARE, RatingTable

DESCRIPTION_RIDGE = 20.0
"""Prior pseudo-count (movies) of the weight of a genre or year, and the ratings at which a movie counts half."""

CHOICE_DAMPING = 10.0
"""Prior pseudo-count (ratings) of each user's and each movie's ``choice``."""

POPULARITY_DISCOUNT = 0.5
"""A rating of a movie with n ratings counts n to the minus this in how well a user likes unrated movies.

At 0 unrated movies are taken to be like those rated most, as in tests that hold out whole movies; at 1 like those that
few care to see, as in a random split. Chosen on training rows (docs/decisions/0050).
"""

MAX_VARIANCE_ROWS = 1 << 20
"""Of more training rows than this, evenly spaced ones give the variance."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Choices:
    """Residuals (n,) of ratings over cold-start predictions, and their mean for each owner: user or movie.

    ``means`` (E,) are weighted, and damped towards the mean of all; ``weight_sums`` (E,) include the damping.
    """

    residuals: Floats
    weights: Floats
    owners: Rows
    means: F64
    weight_sums: F64

    @classmethod
    def of(cls, residuals: Floats, weights: Floats, owners: Rows, count: int) -> _Choices:
        """The means of ``count`` owners; ``weights`` (n,) have a mean of one."""
        weighted = weights * residuals
        damping = CHOICE_DAMPING * float(weighted.mean(dtype=np.float64))
        sums = np.bincount(owners, weights, count) + CHOICE_DAMPING
        means = (np.bincount(owners, weighted, count) + damping) / sums
        return cls(residuals, weights, owners, np.asarray(means, np.float64), np.asarray(sums, np.float64))

    def leave_one_out(self, rows: slice) -> F64:
        """Each residual minus the mean that its owner has without it."""
        owners = self.owners[rows]
        total = self.weight_sums[owners]
        errors = (self.residuals[rows] - self.means[owners]) * total / (total - self.weights[rows])
        return np.asarray(errors, np.float64)


def add_cold_start(table: RatingTable, train: Ratings, catalogue: Catalogue) -> RatingTable:
    """``table`` with rows for movies without ratings and for unknown users; all other rows stay as they are."""
    u, m = table.user_rows(train.users), table.movie_rows(train.movies)
    raters = np.bincount(m, minlength=len(table.movies) + 1)
    described = _describe(table, catalogue, raters)
    table = _with_average_user(table)
    unrated_movies = replace(table, movie_bias=described[:, 0], movie_factors=described[:, 1:])
    unknown_user = table.expected(np.full(len(raters), len(table.users)), np.arange(len(raters)))
    of_users = _Choices.of(
        train.ratings - unrated_movies.expected(u, m), _discounts(raters)[m], u, len(table.users) + 1
    )
    of_movies = _Choices.of(train.ratings - unknown_user[m], np.ones(len(m), np.float32), m, len(raters))
    sample = slice(None, None, 1 + len(m) // MAX_VARIANCE_ROWS)
    ratings, unrated = train.ratings[sample], ~table.movie_rated
    movie_variance = _variance(table, ratings, of_users.leave_one_out(sample), table.user_variance[u[sample]])
    user_variance = _variance(table, ratings, of_movies.leave_one_out(sample), np.zeros(len(ratings), np.float32))
    return replace(
        table,
        movie_bias=np.where(unrated, described[:, 0], table.movie_bias),
        movie_factors=np.where(unrated[:, None], described[:, 1:], table.movie_factors),
        user_variance=np.append(table.user_variance[:-1], np.float32(user_variance)),
        movie_variance=np.where(unrated, np.float32(movie_variance), table.movie_variance),
        user_choice=of_users.means.astype(np.float32),
        movie_choice=of_movies.means.astype(np.float32),
    )


def _describe(table: RatingTable, catalogue: Catalogue, raters: NDArray[np.intp]) -> Floats:
    """Bias and factors (M + 1, 1 + k) that a ridge regression on descriptions predicts for each movie from the others.

    Each movie's own row is taken out of the regression by its leverage, so that rated movies are described no better
    than new ones. The prior is one movie for the constant and DESCRIPTION_RIDGE movies for each other column.
    """
    rows = np.column_stack([table.movie_bias, table.movie_factors]).astype(np.float64)
    columns = [np.ones((len(rows), 1), np.float32), *describe_movies(table.movies, catalogue)]
    design = np.concatenate(columns, axis=1).astype(np.float64)
    weight = raters / (raters + DESCRIPTION_RIDGE)
    prior = np.full(design.shape[1], DESCRIPTION_RIDGE)
    prior[0] = 1.0
    weighted = (design * weight[:, None]).T
    hat = np.linalg.solve(weighted @ design + np.diag(prior * weight[table.movie_rated].mean()), weighted)
    leverage = np.einsum("mc,cm->m", design, hat)[:, None]
    return np.asarray((design @ (hat @ rows) - leverage * rows) / (1.0 - leverage), np.float32)


def _with_average_user(table: RatingTable) -> RatingTable:
    """``table`` with the mean of the known users' rows as the row of unknown users."""
    bias, factors = table.user_bias.copy(), table.user_factors.copy()
    bias[-1] = bias[table.user_rated].mean(dtype=np.float64)
    factors[-1] = factors[table.user_rated].mean(axis=0, dtype=np.float64)
    return replace(table, user_bias=bias, user_factors=factors)


def _discounts(raters: NDArray[np.intp]) -> Floats:
    """The weight (M + 1,) of a movie's ratings; the mean over ratings is one, and movies without any have none."""
    weights = np.where(raters > 0, np.maximum(raters, 1) ** -POPULARITY_DISCOUNT, 0.0)
    return np.asarray(weights * raters.sum() / (weights @ raters), np.float32)


def _variance(table: RatingTable, ratings: Floats, errors: F64, known: Floats) -> float:
    """The variance to add to σ² and the ``known`` part, (n,), for intervals to hold INTERVAL_SHARE of ratings (n,)."""
    if table.noise == 0:
        return 0.0
    clipped = ratings - np.clip(ratings - errors, table.low, table.high)
    needed = np.square(clipped / table.half_width) - known
    return max(0.0, float(np.quantile(needed, INTERVAL_SHARE)) - table.noise)
