"""Users with tastes of their own: rating counts for drift tests, ratings and histories for recommender tests.

Counts are (users, 10): ten counts of ratings a user, from 0.5 to 5.0 stars.
"""

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.drift.histogram import RATING_VALUES
from cinematch_assets.recommender.data import Catalogue, Ratings

Counts = NDArray[np.int64]


def make_population(users: int, *, ratings_per_user: float = 110, seed: int = 1) -> Counts:
    """Counts (users, 10) with heavy-tailed activity; users have a mean, a std and a taste for whole stars."""
    random = np.random.default_rng(seed)
    rows = np.maximum(20, random.lognormal(np.log(ratings_per_user) - 0.7, 1.2, users)).astype(np.int64)
    mean = random.normal(3.6, 0.45, (users, 1)) - 0.08 * np.log(rows / ratings_per_user)[:, None]
    deviation = random.uniform(0.7, 1.2, (users, 1))
    halves = np.where(np.arange(10) % 2 == 0, random.beta(1, 2, (users, 1)), 1.0)
    weights = halves * np.exp(-0.5 * ((RATING_VALUES - mean) / deviation) ** 2)
    return random.multinomial(rows, weights / weights.sum(axis=1, keepdims=True))


def draw_whole_users(population: Counts, rows: int, random: np.random.Generator) -> Counts:
    """A batch without drift: users drawn with replacement, all of their ratings, until there are ``rows`` of them."""
    sizes = population.sum(axis=1)
    drawn = random.integers(0, len(population), 10 * rows // int(sizes.mean()) + 100)
    return population[drawn[: np.searchsorted(np.cumsum(sizes[drawn]), rows) + 1]]


def draw_few_ratings_each(population: Counts, rows: int, random: np.random.Generator) -> Counts:
    """A batch without drift: each active user adds about ten ratings."""
    sizes = population.sum(axis=1)
    drawn = random.choice(len(population), rows // 10, p=sizes / sizes.sum())
    return random.multinomial(10, population[drawn] / sizes[drawn, None])


def raise_half(batch: Counts, random: np.random.Generator) -> Counts:
    """Raise each rating below five stars by half a star with a probability of one half."""
    rising = random.binomial(batch[:, :9], 0.5)
    moved = batch.copy()
    moved[:, :9] -= rising
    moved[:, 1:] += rising
    return moved


def move_to_ks_distance(baseline: Counts, batch: Counts, distance: float) -> Counts:
    """Raise ratings of all users by half a star until the batch's KS distance to the baseline is ``distance``."""
    old, new = (np.cumsum(counts.sum(axis=0)) / counts.sum() for counts in (baseline, batch))
    value = int((batch.sum(axis=0)[:9] / batch.sum() + (old - new)[:9]).argmax())
    excess = distance - float(old[value] - new[value])  # the share that has to leave for the values above
    rising = np.floor(batch[:, value] * excess * batch.sum() / batch[:, value].sum() + 0.5).astype(np.int64)
    moved = batch.copy()
    moved[:, value] -= rising
    moved[:, value + 1] += rising
    return moved


def make_two_tastes(seed: int = 3, users: int = 120, movies: int = 80) -> Ratings:
    """Users 1 … and movies 10, 20 … in two halves: users rate movies of their own half more often, and higher.

    Odd users are of the half of movies 10, 30, 50 …
    """
    rng = np.random.default_rng(seed)
    own = (np.arange(users) % 2)[:, None] == (np.arange(movies) % 2)[None, :]
    u, m = np.nonzero(rng.random((users, movies)) < np.where(own, 0.3, 0.06) * np.linspace(1.5, 0.2, movies))
    ratings = np.where(own[u, m], 4.0, 2.0) + rng.choice([-0.5, 0.0, 0.5, 1.0], len(u))
    return Ratings.of(u + 1, 10 * (m + 1), ratings)


def make_catalogue(movies: int = 80) -> Catalogue:
    """The movies of ``make_two_tastes``, and two without ratings."""
    return Catalogue.without_titles(10 * (np.arange(movies + 2) + 1))
