"""Raters with a taste of their own, for tests that need thousands of them."""

import numpy as np
from numpy.typing import NDArray

STARS = np.arange(1, 11) / 2


def a_population(users: int, *, ratings_per_user: float = 110, seed: int = 1) -> NDArray[np.int64]:
    """Ten counts a user, (users, 10): heavy-tailed activity, a mean, a spread and a liking for whole stars each."""
    random = np.random.default_rng(seed)
    rows = np.maximum(20, random.lognormal(np.log(ratings_per_user) - 0.7, 1.2, users)).astype(np.int64)
    mean = random.normal(3.6, 0.45, (users, 1)) - 0.08 * np.log(rows / ratings_per_user)[:, None]
    spread = random.uniform(0.7, 1.2, (users, 1))
    halves = np.where(np.arange(10) % 2 == 0, random.beta(1, 2, (users, 1)), 1.0)
    weights = halves * np.exp(-0.5 * ((STARS - mean) / spread) ** 2)
    return random.multinomial(rows, weights / weights.sum(axis=1, keepdims=True))


def whole_users(population: NDArray[np.int64], rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """A batch without drift: users drawn with replacement, all of their ratings, until there are ``rows`` of them."""
    sizes = population.sum(axis=1)
    drawn = random.integers(0, len(population), 10 * rows // int(sizes.mean()) + 100)
    return population[drawn[: np.searchsorted(np.cumsum(sizes[drawn]), rows) + 1]]


def few_ratings_each(population: NDArray[np.int64], rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """A batch without drift: each active user adds about ten ratings."""
    sizes = population.sum(axis=1)
    drawn = random.choice(len(population), rows // 10, p=sizes / sizes.sum())
    return random.multinomial(10, population[drawn] / sizes[drawn, None])


def half_raised(batch: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Each rating below five stars rises by half a star with a chance of one half."""
    rising = random.binomial(batch[:, :9], 0.5)
    moved = batch.copy()
    moved[:, :9] -= rising
    moved[:, 1:] += rising
    return moved


def at_ks_distance(baseline: NDArray[np.int64], batch: NDArray[np.int64], distance: float) -> NDArray[np.int64]:
    """Move ratings up by half a star, over all users alike, until the batch is ``distance`` away from the baseline."""
    old, new = (np.cumsum(counts.sum(axis=0)) / counts.sum() for counts in (baseline, batch))
    value = int((batch.sum(axis=0)[:9] / batch.sum() + (old - new)[:9]).argmax())
    excess = distance - float(old[value] - new[value])  # what has to leave for the values above
    rising = np.floor(batch[:, value] * excess * batch.sum() / batch[:, value].sum() + 0.5).astype(np.int64)
    moved = batch.copy()
    moved[:, value] -= rising
    moved[:, value + 1] += rising
    return moved
