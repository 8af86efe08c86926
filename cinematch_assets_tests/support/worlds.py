"""Small sets of ratings drawn from a known model, for the recommender's tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.splits import Split, random_split

GENRES = ("Action", "Comedy", "Drama", "Horror")


@dataclass(frozen=True)
class World:
    ratings: Ratings
    catalogue: Catalogue

    def split(self, seed: int = 1) -> Split:
        return random_split(self.ratings, 0.3, seed)


def make_world(users: int = 120, movies: int = 80, share: float = 0.35, noise: float = 0.5, seed: int = 0) -> World:
    """Draw ratings from two factors and biases that both depend on the genre, with noise."""
    rng = np.random.default_rng(seed)
    genre = np.arange(movies) % len(GENRES)
    q = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], float)[genre] + rng.normal(0, 0.3, (movies, 2))
    p = rng.normal(0, 0.6, (users, 2))
    genre_bias = np.array([0.5, 0.1, 0.2, -0.8])[genre]
    expected = 3.4 + rng.normal(0, 0.3, users)[:, None] + genre_bias + rng.normal(0, 0.2, movies) + p @ q.T
    ratings = np.clip(np.round(2 * (expected + rng.normal(0, noise, expected.shape))) / 2, 0.5, 5.0)
    u, m = np.nonzero(rng.random(expected.shape) < share)
    times = rng.permutation(len(u)) * 3600 + 1_000_000_000
    titles = [f"Film {number} ({1960 + number % 50})" for number in range(movies)]
    return World(
        Ratings.of(u + 1, 10 * (m + 1), ratings[u, m], times),
        Catalogue.of(10 * (np.arange(movies) + 1), titles, [GENRES[g] for g in genre]),
    )


def rmse(predicted: NDArray[np.float32], ratings: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - ratings) ** 2)))
