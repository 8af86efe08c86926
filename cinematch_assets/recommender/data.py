"""Ratings and the catalogue as arrays, in the one order that every model sees.

Here: the frozen inputs of fitting and evaluation. Not here: reading files (``reading``), models (``model``,
``baselines``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.movielens import FEATURES, release_year, split_genres
from cinematch_assets.pairs import pair_keys
from cinematch_assets.plurals import count

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]
F64 = NDArray[np.float64]


class RecommenderInputError(CinematchError):
    """The ratings or the catalogue handed to the recommender cannot be used; the message says which and why."""


class UserMoviePairs(Protocol):
    """Anything with a user and a movie on each row, such as ``Ratings`` and ``Pairs``."""

    @property
    def users(self) -> Ids:
        """User of each row, (n,)."""

    @property
    def movies(self) -> Ids:
        """Movie of each row, (n,)."""


UNKNOWN_YEAR = 0


@dataclass(frozen=True, slots=True)
class Pairs:
    """(user, movie) pairs without a rating; both arrays are (n,)."""

    users: Ids
    movies: Ids

    @classmethod
    def none(cls) -> Pairs:
        """No pairs."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32))


def sorted_by_user(pairs: UserMoviePairs) -> tuple[Ids, Ids]:
    """Users, ascending, and their movies, (n,) each; pairs that are sorted by user already are not copied."""
    users, movies = np.asarray(pairs.users, np.int32), np.asarray(pairs.movies, np.int32)
    if (users[1:] >= users[:-1]).all():
        return users, movies
    order = np.argsort(users, kind="stable")
    return users[order], movies[order]


@dataclass(frozen=True, slots=True)
class Ratings:
    """Rows of ratings in canonical order: by user, movie, time, rating. All arrays are (n,); timestamps are seconds.

    The order is what makes a model a function of the *set* of its rows: made by ``of`` and ``from_frame``, two
    ``Ratings`` of the same rows are equal array by array, whatever order the rows arrived in.
    """

    users: Ids
    movies: Ids
    ratings: Floats
    timestamps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(
        cls, users: NDArray[Any], movies: NDArray[Any], ratings: NDArray[Any], timestamps: NDArray[Any] | None = None
    ) -> Ratings:
        """Rows in any order, brought into the canonical one; no timestamps means that all are 0.

        Raises:
            RecommenderInputError: the arrays differ in length, or a rating is not a finite number.
        """
        times = np.zeros(len(users), np.int64) if timestamps is None else np.asarray(timestamps, np.int64)
        users, movies = np.asarray(users, np.int32), np.asarray(movies, np.int32)
        ratings = np.asarray(ratings, np.float32)
        if not len(users) == len(movies) == len(ratings) == len(times):
            lengths = (len(users), len(movies), len(ratings), len(times))
            raise RecommenderInputError(f"users, movies, ratings and timestamps differ in length: {lengths}")
        if not np.isfinite(ratings).all():
            bad = int((~np.isfinite(ratings)).sum())
            raise RecommenderInputError(f"not a finite number: {count(bad, 'rating')}")
        order = _canonical_order(users, movies, ratings, times)
        return cls(users[order], movies[order], ratings[order], times[order])

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Ratings:
        """From columns ``userId, movieId, rating`` and, if there, ``timestamp``.

        Raises:
            RecommenderInputError: a column is missing, or a rating is not a finite number.
        """
        missing = [name for name in ("userId", "movieId", "rating") if name not in frame.columns]
        if missing:
            raise RecommenderInputError(f"ratings have no column {', '.join(missing)}; they have {list(frame.columns)}")
        times = frame["timestamp"].to_numpy() if "timestamp" in frame.columns else None
        return cls.of(frame["userId"].to_numpy(), frame["movieId"].to_numpy(), frame["rating"].to_numpy(), times)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a frame with the files' column names."""
        return pd.DataFrame(
            {"userId": self.users, "movieId": self.movies, "rating": self.ratings, "timestamp": self.timestamps}
        )

    def where(self, keep: NDArray[np.bool_]) -> Ratings:
        """The rows of a mask (n,), still in canonical order."""
        return Ratings(self.users[keep], self.movies[keep], self.ratings[keep], self.timestamps[keep])

    def latest(self) -> Ratings:
        """The newest row of each (user, movie); among rows of one second, the highest rating."""
        if len(self) == 0:
            return self
        same = (self.users[1:] == self.users[:-1]) & (self.movies[1:] == self.movies[:-1])
        return self.where(np.append(~same, True)) if same.any() else self


def _canonical_order(users: Ids, movies: Ids, ratings: Floats, times: NDArray[np.int64]) -> NDArray[np.intp]:
    """The order by user, movie, time, rating, (n,).

    One sort of pair keys, and one by all columns of the rows whose pair comes twice. The stable sort takes what is in
    order already as it is: rows that come by user cost the sorting of each user's rows alone.
    """
    keys = pair_keys(users, movies)
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    repeats = in_order[1:] == in_order[:-1]
    if repeats.any():
        several = np.append(repeats, False) | np.append(False, repeats)
        rows = order[several]
        order[several] = rows[np.lexsort((ratings[rows], times[rows], keys[rows]))]
    return order


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All movies that may be recommended: m rows, ``movies`` ascending and unique.

    ``features`` is float32 (m, 10), the genre components, with a row of NaN where a movie has none.
    """

    movies: Ids
    titles: tuple[str, ...]
    genres: tuple[str, ...]
    features: Floats

    def __len__(self) -> int:
        return len(self.movies)

    def years(self) -> NDArray[np.int16]:
        """Years of release, (m,), from titles that end in "(1995)"; ``UNKNOWN_YEAR`` for others."""
        return np.array([release_year(title) or UNKNOWN_YEAR for title in self.titles], np.int16)

    @classmethod
    def of(
        cls,
        movies: NDArray[Any],
        titles: Sequence[str],
        genres: Sequence[str],
        features: NDArray[Any] | None = None,
    ) -> Catalogue:
        """Rows in any order, sorted by movie.

        Raises:
            RecommenderInputError: a movie comes twice, or the columns differ in length.
        """
        movie_ids = np.asarray(movies, np.int32)
        rows = np.full((len(movie_ids), FEATURES), np.nan, np.float32) if features is None else np.asarray(features)
        if not len(movie_ids) == len(titles) == len(genres) == len(rows):
            lengths = (len(movie_ids), len(titles), len(genres), len(rows))
            raise RecommenderInputError(f"movies, titles, genres and features differ in length: {lengths}")
        order = np.argsort(movie_ids, kind="stable")
        movie_ids = movie_ids[order]
        twice = movie_ids[1:][movie_ids[1:] == movie_ids[:-1]]
        if len(twice):
            raise RecommenderInputError(f"movie {twice[0]} is in the catalogue more than once")
        return cls(
            movie_ids,
            tuple(str(titles[at]) for at in order),
            tuple(str(genres[at]) for at in order),
            np.ascontiguousarray(rows[order], np.float32),
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, features: NDArray[Any] | None = None) -> Catalogue:
        """From columns ``movieId, title, genres``; ``features`` has one row per row of the frame.

        Raises:
            RecommenderInputError: a column is missing, or a movie comes twice.
        """
        missing = [name for name in ("movieId", "title", "genres") if name not in frame.columns]
        if missing:
            raise RecommenderInputError(f"movies have no column {', '.join(missing)}; they have {list(frame.columns)}")
        genres = frame["genres"].fillna("").astype(str).tolist()
        return cls.of(frame["movieId"].to_numpy(), frame["title"].astype(str).tolist(), genres, features)

    @classmethod
    def without_titles(cls, movies: NDArray[Any]) -> Catalogue:
        """The catalogue that ratings alone imply: each movie once, with its id as title and without genres."""
        movie_ids = np.unique(np.asarray(movies, np.int32))
        return cls.of(movie_ids, [str(movie) for movie in movie_ids], [""] * len(movie_ids))

    def among(self, movies: Ids) -> Catalogue:
        """The rows whose movie is one of ``movies``."""
        rows = np.flatnonzero(np.isin(self.movies, movies))
        titles, genres = tuple(self.titles[row] for row in rows), tuple(self.genres[row] for row in rows)
        return Catalogue(self.movies[rows], titles, genres, self.features[rows])

    def genre_names(self, row: int) -> tuple[str, ...]:
        """The genres of one row, none for "(no genres listed)"."""
        return split_genres(self.genres[row])

    def title_of(self, movie: int) -> str:
        """The title of a movie.

        Raises:
            RecommenderInputError: it is not in the catalogue.
        """
        at = int(np.searchsorted(self.movies, movie))
        if at == len(self.movies) or self.movies[at] != movie:
            raise RecommenderInputError(f"movie {movie} is not in the catalogue")
        return self.titles[at]
