"""What to expect of a movie that nobody rated, and of a user who rated nothing, and how far off that may be.

Here: giving both a row in a fitted table of stars. Not here: fitting it (``bayes``, ``als``), users who name a few
movies (``RatingTable.fold_in``).

Ratings do not fall on movies at random: people rate what they chose to see, and like it better than its description
says. So a new movie is expected to be as far above its description as the movies that this user picks, and a new user
as generous as the people who pick this movie. How far off that is follows from training rows: each is
predicted as if its movie, or its user, had no ratings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Catalogue, Floats, Ratings
from cinematch_assets.recommender.rating_prediction.design import describe_movies
from cinematch_assets.recommender.rating_prediction.gibbs import INTERVAL
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

DESCRIPTION_RIDGE = 20.0
"""How many movies without a property its weight imagines, and the ratings at which a movie counts half."""

CHOICE_DAMPING = 10.0
"""How many average choices we imagine of each user and each movie."""

POPULARITY_DISCOUNT = 0.5
"""Choosing a movie with n ratings says n to the minus this of how a user likes unrated movies.

At 0 those are taken for movies like the ones that are rated a lot, which movies held out whole are; at 1 for movies
that nobody cares to see, which a random split is full of. Chosen on training rows (docs/decisions/0050).
"""

ROWS_FOR_SPREAD = 1 << 20
"""Of more training rows than this, evenly spaced ones tell how far off strangers are."""

Wide = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Choices:
    """How far the ratings (n,) of some owners, users or movies, are above what is expected of strangers.

    ``means`` (E,) are weighted, and damped towards everyone's; ``sums`` (E,) of the weights include the damping.
    """

    gaps: Floats
    weights: Floats
    owners: Rows
    means: Wide
    sums: Wide

    @classmethod
    def of(cls, gaps: Floats, weights: Floats, owners: Rows, count: int) -> _Choices:
        """The choices of ``count`` owners; ``weights`` (n,) have a mean of one."""
        weighted = weights * gaps
        damping = CHOICE_DAMPING * float(weighted.mean(dtype=np.float64))
        sums = np.bincount(owners, weights, count) + CHOICE_DAMPING
        means = (np.bincount(owners, weighted, count) + damping) / sums
        return cls(gaps, weights, owners, np.asarray(means, np.float64), np.asarray(sums, np.float64))

    def errors(self, rows: slice) -> Wide:
        """How far each of the gaps is from the mean that its owner has without it."""
        owners = self.owners[rows]
        total = self.sums[owners]
        return np.asarray((self.gaps[rows] - self.means[owners]) * total / (total - self.weights[rows]), np.float64)


def lean_on_descriptions(table: RatingTable, train: Ratings, catalogue: Catalogue) -> RatingTable:
    """``table`` with rows for unrated movies and for strangers; those of everyone else stay as they are."""
    u, m = table.user_rows(train.users), table.movie_rows(train.movies)
    raters = np.bincount(m, minlength=len(table.movies) + 1)
    described = _described(table, catalogue, raters)
    table = _with_average_user(table)
    as_new = replace(table, movie_bias=described[:, 0], movie_factors=described[:, 1:])
    by_nobody = table.expected(np.full(len(raters), len(table.users)), np.arange(len(raters)))
    of_users = _Choices.of(train.ratings - as_new.expected(u, m), _discounts(raters)[m], u, len(table.users) + 1)
    of_movies = _Choices.of(train.ratings - by_nobody[m], np.ones(len(m), np.float32), m, len(raters))
    some = slice(None, None, 1 + len(m) // ROWS_FOR_SPREAD)
    stars, unrated = train.ratings[some], ~table.movie_rated
    new_movie = _variance(table, stars, of_users.errors(some), table.user_variance[u[some]])
    new_user = _variance(table, stars, of_movies.errors(some), np.zeros(len(stars), np.float32))
    return replace(
        table,
        movie_bias=np.where(unrated, described[:, 0], table.movie_bias),
        movie_factors=np.where(unrated[:, None], described[:, 1:], table.movie_factors),
        user_variance=np.append(table.user_variance[:-1], np.float32(new_user)),
        movie_variance=np.where(unrated, np.float32(new_movie), table.movie_variance),
        user_choice=of_users.means.astype(np.float32),
        movie_choice=of_movies.means.astype(np.float32),
    )


def _described(table: RatingTable, catalogue: Catalogue, raters: NDArray[np.intp]) -> Floats:
    """Bias and factors (M + 1, 1 + k) of each movie as a ridge regression on descriptions has them from the others.

    The movie's own row is taken out of what is learned by its leverage, so that rated movies are described no better
    than new ones. One movie is imagined without any weight, DESCRIPTION_RIDGE for each property.
    """
    rows = np.column_stack([table.movie_bias, table.movie_factors]).astype(np.float64)
    columns = [np.ones((len(rows), 1), np.float32), *describe_movies(table.movies, catalogue)]
    design = np.concatenate(columns, axis=1).astype(np.float64)
    weight = raters / (raters + DESCRIPTION_RIDGE)
    imagined = np.full(design.shape[1], DESCRIPTION_RIDGE)
    imagined[0] = 1.0
    weighted = (design * weight[:, None]).T
    shares = np.linalg.solve(weighted @ design + np.diag(imagined * weight[table.movie_rated].mean()), weighted)
    leverage = np.einsum("mc,cm->m", design, shares)[:, None]
    return np.asarray((design @ (shares @ rows) - leverage * rows) / (1.0 - leverage), np.float32)


def _with_average_user(table: RatingTable) -> RatingTable:
    """``table`` with the mean of the known users' rows for whom nobody has heard of."""
    bias, factors = table.user_bias.copy(), table.user_factors.copy()
    bias[-1] = bias[table.user_rated].mean(dtype=np.float64)
    factors[-1] = factors[table.user_rated].mean(axis=0, dtype=np.float64)
    return replace(table, user_bias=bias, user_factors=factors)


def _discounts(raters: NDArray[np.intp]) -> Floats:
    """The weight (M + 1,) of a movie's ratings; the mean over ratings is one, and movies without any have none."""
    weights = np.where(raters > 0, np.maximum(raters, 1) ** -POPULARITY_DISCOUNT, 0.0)
    return np.asarray(weights * raters.sum() / (weights @ raters), np.float32)


def _variance(table: RatingTable, ratings: Floats, errors: Wide, known: Floats) -> float:
    """What σ² and the ``known`` part lack for INTERVAL of the ratings (n,) to be within the interval of their stars."""
    if table.noise == 0:
        return 0.0
    off = ratings - np.clip(ratings - errors, table.low, table.high)
    return max(0.0, float(np.quantile(np.square(off / table.half_width) - known, INTERVAL)) - table.noise)
