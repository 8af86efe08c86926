"""Item similarity: shrunken lift of co-ratings over an independence (Rasch) model.

Here: the independence model, the prior from the movies' descriptions, similarities of one movie to all. Not here: the
selection of the most similar (``ranking.ranker``), recommendations for users (``ranking.ease_dual``,
``ranking.ease_sparse``).

n_ij sums, over the users who rated both movies, the products of the two ratings' weights. e_ij is the expected sum if
i's raters had rated independently of their taste: user u rates movie j with odds x_u·y_j, fitted so that every user and
every movie keeps its number of ratings (the Rasch model). The ratio n_ij / e_ij is noisy where e_ij is small, so it has
a gamma prior, as in DuMouchel (1999) for rare events: K expected products with a mean m_ij from genres, years and
franchise. The similarity is the lower end of the posterior, (n + Km) / (e + K) · exp(−z / √(n + Km)). With few
co-ratings the description decides, with many the co-ratings do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import positions
from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import UNKNOWN_YEAR, Catalogue, Floats, Ids
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.ranking.histories import Counts, UserHistories, rating_weights

PRIOR_WEIGHT = 5.0
"""K, in expected products. How this and the five values below were chosen: docs/decisions/0062."""

LOWER_BOUND_STDS = 1.0
"""z, standard deviations of log((n + Km) / (e + K)) subtracted."""

PRIOR_LOG_MEAN = -0.5
"""log m of two movies that share nothing and are of one year."""

GENRES_BONUS = 0.5
"""Added to log m for equal genres; for others in proportion to their cosine."""

DECADE_PENALTY = 0.1
"""Subtracted from log m for each decade between the years of release."""

FRANCHISE_BONUS = 1.0
"""Added to log m for two instalments of one franchise."""

MAX_DECADES = 3.0
UNKNOWN_DECADES = 1.0
"""Decades between two movies of which one has no year."""

CLASSES_PER_OCTAVE = 16
"""Numbers of ratings are rounded to this many classes between one number and its double when odds are fitted."""

RASCH_SWEEPS = 60
BLOCK_RATERS = 4_096
"""Histories that are added up at once: at 24M ratings some 40 MB."""


@dataclass(frozen=True, slots=True)
class ItemSimilarity:
    """What similarities of M movies need in addition to the histories of U users."""

    user_odds: Floats  # (U,) x
    movie_odds: Floats  # (M,) y
    mean_weights: Floats  # (M,) the mean weight of a movie's ratings
    genres: NDArray[np.uint8]  # (M, bytes) a bit for each genre
    years: NDArray[np.int16]  # (M,) of release, UNKNOWN_YEAR where there is none

    def similarities(self, movie: int, histories: UserHistories, franchises: Ids) -> NDArray[np.float64]:
        """The similarity of ``movie`` (an index) to every movie, (M,); 0 to itself.

        ``histories`` are those of the fit; ``franchises`` (M,) are numbers that instalments share.
        """
        observed, expected = self._co_ratings(movie, histories)
        prior = PRIOR_WEIGHT * np.exp(self._prior_log_mean(movie, franchises))
        posterior = observed + prior
        similarity = posterior / (expected + PRIOR_WEIGHT) * np.exp(-LOWER_BOUND_STDS / np.sqrt(posterior))
        similarity[movie] = 0.0
        return np.asarray(similarity)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The fitted arrays by name."""
        return {f"similar_items.{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemSimilarity:
        """The inverse of ``arrays``."""
        return cls(**{name: arrays[f"similar_items.{name}"] for name in cls.__slots__})

    def _co_ratings(self, movie: int, histories: UserHistories) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The sums n and e of one movie with every movie, both (M,)."""
        cells = np.flatnonzero(histories.columns == movie)
        raters = np.searchsorted(histories.starts, cells, "right") - 1
        weights = rating_weights(histories.ratings[cells])
        observed = np.zeros(len(self.movie_odds))
        for start in range(0, len(raters), BLOCK_RATERS):
            block = slice(start, start + BLOCK_RATERS)
            observed += histories.weights_of(histories.users[raters[block]]).T @ weights[block]
        # Raters of equal odds expect the same of every movie, so each value of the odds is computed once.
        distinct_odds, group = np.unique(self.user_odds[raters], return_inverse=True)
        expected = np.zeros(len(self.movie_odds))
        for odds, weight in zip(distinct_odds, np.bincount(group, weights), strict=True):
            expected += weight * _probability(odds * self.movie_odds)
        return observed, expected * self.mean_weights

    def _prior_log_mean(self, movie: int, franchises: Ids) -> NDArray[np.float64]:
        """The logarithm of m for one movie with every movie, (M,)."""
        years = self.years.astype(np.float64)
        known = (years != UNKNOWN_YEAR) & (years[movie] != UNKNOWN_YEAR)
        decades = np.where(known, np.minimum(np.abs(years - years[movie]) / 10.0, MAX_DECADES), UNKNOWN_DECADES)
        same = franchises == franchises[movie]
        return np.asarray(
            PRIOR_LOG_MEAN
            + GENRES_BONUS * self._genre_cosines(movie)
            - DECADE_PENALTY * decades
            + FRANCHISE_BONUS * same
        )

    def _genre_cosines(self, movie: int) -> NDArray[np.float64]:
        """Cosines of genre vectors, each genre weighted by log(M / movies of the genre), (M,)."""
        has_genre = np.unpackbits(self.genres, axis=1)
        rarity = np.square(np.log((len(has_genre) + 1.0) / (has_genre.sum(axis=0, dtype=np.int64) + 1.0)))
        norms = np.sqrt((has_genre * rarity).sum(axis=1))
        shared = (has_genre * (rarity * has_genre[movie])).sum(axis=1)
        return np.asarray(shared / np.maximum(norms * norms[movie], 1e-12))


def fit_similar_items(
    train: UserHistories,
    catalogue: Catalogue,
    config: RankingConfig,  # noqa: ARG001  the signature of every trainer
    rng: np.random.Generator,  # noqa: ARG001
    progress: Progress = no_progress,
) -> ItemSimilarity:
    """Fit the odds, and collect what the catalogue says; movies outside the catalogue have no genres and no year."""
    progress("item similarity", 0.0)
    width = len(train.movies)
    counts = np.bincount(train.columns, minlength=width)
    total_weights = np.bincount(train.columns, rating_weights(train.ratings), minlength=width)
    user_odds, movie_odds = fit_rasch_odds(np.diff(train.starts), counts)
    index, known = positions(catalogue.movies, train.movies)
    genres = np.zeros((width, (len(_genre_names(catalogue)) + 7) // 8), np.uint8)
    years = np.full(width, UNKNOWN_YEAR, np.int16)
    genres[index[known]] = _genre_bits(catalogue)[known]
    years[index[known]] = catalogue.years()[known]
    progress("item similarity", 1.0)
    mean_weights = (total_weights / np.maximum(counts, 1)).astype(np.float32)
    return ItemSimilarity(user_odds, movie_odds, mean_weights, genres, years)


def fit_rasch_odds(user_counts: Counts, movie_counts: Counts) -> tuple[Floats, Floats]:
    """Odds x (U,) and y (M,) for which p = xy / (1 + xy) expects of every user and movie its number of ratings.

    Fixed-point iteration over classes of users and of movies with about the same number.
    """
    user_means, user_sizes, user_class = _count_classes(user_counts)
    movie_means, movie_sizes, movie_class = _count_classes(movie_counts)
    total = max(float((user_means * user_sizes).sum()), 1.0)
    x, y = user_means / np.sqrt(total), movie_means / np.sqrt(total)
    for _ in range(RASCH_SWEEPS):
        x = user_means / np.maximum((movie_sizes * y / (1.0 + np.outer(x, y))).sum(axis=1), 1e-12)
        y = movie_means / np.maximum((user_sizes * x / (1.0 + np.outer(y, x))).sum(axis=1), 1e-12)
    return x[user_class].astype(np.float32), y[movie_class].astype(np.float32)


def _count_classes(counts: Counts) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.intp]]:
    """The mean of each class of counts, its size, and the class of each count; each small count is a class."""
    rounded = np.where(counts > 0, np.round(np.log2(np.maximum(counts, 1)) * CLASSES_PER_OCTAVE), -1.0)
    class_of, sizes = np.unique(rounded, return_inverse=True, return_counts=True)[1:]
    return np.bincount(class_of, counts) / sizes, sizes, class_of


def _probability(odds: Floats) -> Floats:
    return odds / (np.float32(1.0) + odds)


def _genre_names(catalogue: Catalogue) -> list[str]:
    return sorted({name for row in range(len(catalogue)) for name in catalogue.genre_names(row)})


def _genre_bits(catalogue: Catalogue) -> NDArray[np.uint8]:
    """A bit for each genre of each row, (m, bytes)."""
    column = {name: number for number, name in enumerate(_genre_names(catalogue))}
    has_genre = np.zeros((len(catalogue), len(column)), np.bool_)
    for row in range(len(catalogue)):
        has_genre[row, [column[name] for name in catalogue.genre_names(row)]] = True
    return np.packbits(has_genre, axis=1)
