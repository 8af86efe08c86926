"""Which movies are near to one: how much more often the same people like both than chance would have it.

Here: what chance would have, what the descriptions lead one to expect, and the nearness of one movie to all. Not here:
the list that is cut from it (``ranker``), lists for people (``dual``, ``sparse``).

n_ij sums, over those who rated both movies, the products of the two ratings' weights. e_ij is what that sum would be if
i's raters had chosen by chance: a user u rates a movie j with odds x_u·y_j, fitted so that every user and every movie
keeps its number of ratings (the Rasch model, which knows no taste). The ratio n_ij / e_ij is noise where e_ij is small,
so it has a gamma prior, as DuMouchel (1999) has for rare events: worth K expected products, with a mean m_ij that
genres, years and franchise give. The similarity is the lower end of
the posterior, (n + Km) / (e + K) · exp(−z / √(n + Km)).
Where little was rated, the description decides; where much was, it is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import UNKNOWN_YEAR, Catalogue, Floats, Ids, positions
from cinematch_assets.recommender.ranking.histories import Rows, UserHistories, weight_of

PRIOR_WEIGHT = 5.0
"""K, in expected products. What was chosen and what was set, for this and the five below: docs/decisions/0062."""
CAUTION = 1.0
"""z, standard deviations of log((n + Km) / (e + K)) taken off."""
PRIOR_LEVEL = -0.5
GENRES = 0.5
"""Added to log m for the same genres, in parts for a cosine below one."""
DECADE = 0.1
"""Taken off log m for each decade between two years of release, three at most."""
FRANCHISE = 1.0
"""Added to log m for two instalments of one franchise."""

FAR_DECADES = 3.0
UNKNOWN_DECADES = 1.0
"""Taken as the distance of two movies of which one has no year."""

STEPS_AN_OCTAVE = 16
"""Counts of ratings are rounded to so many steps between one and its double when chance is fitted."""
SWEEPS = 60
RATERS_AT_ONCE = 4_096
"""Histories added up at once: at 24M ratings some 40 MB."""


@dataclass(frozen=True, slots=True)
class ItemSimilarity:
    """What, beside the histories of U users, is needed to compare M movies.

    ``activity`` (U,) x and ``appeal`` (M,) y are odds; ``liking`` (M,) is the mean weight of a movie's ratings;
    ``genres`` (M, bytes) are packed bits, a bit each; ``years`` (M,) of release, 0 where unknown.
    """

    activity: Floats
    appeal: Floats
    liking: Floats
    genres: NDArray[np.uint8]
    years: NDArray[np.int16]

    @classmethod
    def of(cls, histories: UserHistories, movies: Ids, catalogue: Catalogue) -> ItemSimilarity:
        """From training histories over ``movies`` (M,), ascending; movies outside the catalogue have no description."""
        counts = np.bincount(histories.columns, minlength=len(movies))
        liked = np.bincount(histories.columns, weight_of(histories.stars), minlength=len(movies))
        activity, appeal = chance(np.diff(histories.starts), counts)
        at, known = positions(catalogue.movies, movies)
        genres = np.zeros((len(movies), (len(_genre_names(catalogue)) + 7) // 8), np.uint8)
        years = np.full(len(movies), UNKNOWN_YEAR, np.int16)
        genres[at[known]] = _genre_bits(catalogue)[known]
        years[at[known]] = catalogue.years()[known]
        return cls(activity, appeal, (liked / np.maximum(counts, 1)).astype(np.float32), genres, years)

    def to_all(self, movie: int, histories: UserHistories, franchises: Ids) -> NDArray[np.float64]:
        """How many times as often as by chance at least the movie (a column) goes with each, (M,); its own is 0."""
        together, expected = self._together(movie, histories)
        prior = PRIOR_WEIGHT * np.exp(self._described(movie, franchises))
        seen = together + prior
        near = seen / (expected + PRIOR_WEIGHT) * np.exp(-CAUTION / np.sqrt(seen))
        near[movie] = 0.0
        return np.asarray(near)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as named arrays."""
        return {f"similar_items.{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemSimilarity:
        """The inverse of ``arrays``."""
        return cls(**{name: arrays[f"similar_items.{name}"] for name in cls.__slots__})

    def _together(self, movie: int, histories: UserHistories) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The sums n and e of one movie with all, both (M,)."""
        cells = np.flatnonzero(histories.columns == movie)
        raters = np.searchsorted(histories.starts, cells, "right") - 1
        weights = weight_of(histories.stars[cells])
        together = np.zeros(len(self.appeal))
        for start in range(0, len(raters), RATERS_AT_ONCE):
            some = slice(start, start + RATERS_AT_ONCE)
            together += histories.rows_of(histories.users[raters[some]], len(together)).T @ weights[some]
        alike, kind = np.unique(self.activity[raters], return_inverse=True)
        expected = np.zeros(len(self.appeal))
        for odds, weight in zip(alike, np.bincount(kind, weights), strict=True):
            expected += weight * _probability(odds * self.appeal)
        return together, expected * self.liking

    def _described(self, movie: int, franchises: Ids) -> NDArray[np.float64]:
        """The logarithm of m for one movie with all, (M,)."""
        years = self.years.astype(np.float64)
        known = (years != UNKNOWN_YEAR) & (years[movie] != UNKNOWN_YEAR)
        decades = np.where(known, np.minimum(np.abs(years - years[movie]) / 10.0, FAR_DECADES), UNKNOWN_DECADES)
        same = franchises == franchises[movie]
        return np.asarray(PRIOR_LEVEL + GENRES * self._genre_cosines(movie) - DECADE * decades + FRANCHISE * same)

    def _genre_cosines(self, movie: int) -> NDArray[np.float64]:
        """Cosines of genres that weigh log(M / movies that have them), (M,)."""
        has = np.unpackbits(self.genres, axis=1)
        rarity = np.square(np.log((len(has) + 1.0) / (has.sum(axis=0, dtype=np.int64) + 1.0)))
        lengths = np.sqrt((has * rarity).sum(axis=1))
        shared = (has * (rarity * has[movie])).sum(axis=1)
        return np.asarray(shared / np.maximum(lengths * lengths[movie], 1e-12))


def chance(user_counts: Rows, movie_counts: Rows) -> tuple[Floats, Floats]:
    """Odds x (U,) and y (M,) under which p = xy / (1 + xy) gives all their expected numbers of ratings.

    By fixed-point iteration over classes of users and of movies that have about the same number.
    """
    a, users, of_user = _classes(user_counts)
    b, movies, of_movie = _classes(movie_counts)
    total = max(float((a * users).sum()), 1.0)
    x, y = a / np.sqrt(total), b / np.sqrt(total)
    for _ in range(SWEEPS):
        x = a / np.maximum((movies * y / (1.0 + np.outer(x, y))).sum(axis=1), 1e-12)
        y = b / np.maximum((users * x / (1.0 + np.outer(y, x))).sum(axis=1), 1e-12)
    return x[of_user].astype(np.float32), y[of_movie].astype(np.float32)


def _classes(counts: Rows) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.intp]]:
    """The mean count of each class, its size, and the class of each count; few ratings are a class each, none too."""
    rounded = np.where(counts > 0, np.round(np.log2(np.maximum(counts, 1)) * STEPS_AN_OCTAVE), -1.0)
    kind, sizes = np.unique(rounded, return_inverse=True, return_counts=True)[1:]
    return np.bincount(kind, counts) / sizes, sizes, kind


def _probability(odds: Floats) -> Floats:
    return odds / (np.float32(1.0) + odds)


def _genre_names(catalogue: Catalogue) -> list[str]:
    return sorted({name for row in range(len(catalogue)) for name in catalogue.genre_names(row)})


def _genre_bits(catalogue: Catalogue) -> NDArray[np.uint8]:
    """A bit for each genre of each row, (m, bytes)."""
    place = {name: column for column, name in enumerate(_genre_names(catalogue))}
    has = np.zeros((len(catalogue), len(place)), np.bool_)
    for row in range(len(catalogue)):
        has[row, [place[name] for name in catalogue.genre_names(row)]] = True
    return np.packbits(has, axis=1)
