"""The design of the factorization machine: columns that describe users and movies.

Here: neighbours, genres, years and eras, from training rows and the catalogue only. Not here: the weights of these
columns (``gibbs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import positions
from cinematch_assets.recommender.data import UNKNOWN_YEAR, Catalogue, Ids, Ratings

YEARS_PER_BIN = 5
ERAS = 10
"""Groups of users, of equal size, by the mean time of their ratings."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Sparse columns over the entities of one side, in groups that share a prior.

    Column c has entries ``pointers[c]:pointers[c + 1]`` of ``entities`` and ``values``; group g has columns
    ``groups[g]:groups[g + 1]``.
    """

    groups: NDArray[np.int64]
    pointers: NDArray[np.int64]
    entities: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Side:
    """The training rows of one side, users or movies, sorted by its entities, and the columns that describe these.

    ``pointers`` (E + 1,): entity i has rows ``pointers[i]:pointers[i + 1]``. ``others`` (n,): the other side's entity
    of each row. ``mirror`` (n,): the position in this order of each row of the *other* side's order. ``scale`` (E,):
    1 / √(n - 1) of an entity's n rows, one over the root of the number of neighbours of each of its rows; 1 for a
    single row, 0 without any. The last entity stands for unknown ids and has no rows.
    """

    pointers: NDArray[np.int64]
    others: NDArray[np.int32]
    mirror: NDArray[np.int32]
    scale: NDArray[np.float32]
    columns: Columns

    @property
    def entities(self) -> int:
        """Number of entities, the unknown one included."""
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class Design:
    """Both sides of the training rows; ``ratings`` (n,) are in the order of ``users``, which is the canonical one."""

    users: Side
    movies: Side
    ratings: NDArray[np.float32]


def build_design(train: Ratings, user_ids: Ids, movie_ids: Ids, catalogue: Catalogue) -> Design:
    """The design over ascending ids that include all of ``train``; only training rows and the catalogue enter it."""
    u = positions(train.users, user_ids)[0].astype(np.int32)
    m = positions(train.movies, movie_ids)[0].astype(np.int32)
    by_movie = np.lexsort((u, m))
    back = np.empty_like(by_movie)
    back[by_movie] = np.arange(len(by_movie))
    return Design(
        users=_side(u, m, len(user_ids) + 1, by_movie, _eras(train, u, len(user_ids))),
        movies=_side(m[by_movie], u[by_movie], len(movie_ids) + 1, back, describe_movies(movie_ids, catalogue)),
        ratings=train.ratings,
    )


def _side(
    entities: NDArray[np.int32],
    others: NDArray[np.int32],
    count: int,
    mirror: NDArray[np.signedinteger[Any]],
    groups: list[NDArray[np.float32]],
) -> Side:
    rows = np.bincount(entities, minlength=count)
    return Side(
        pointers=np.concatenate([[0], np.cumsum(rows)]).astype(np.int64),
        others=np.ascontiguousarray(others, np.int32),
        mirror=np.ascontiguousarray(mirror, np.int32),
        scale=np.where(rows > 0, 1.0 / np.sqrt(np.maximum(rows - 1, 1)), 0.0).astype(np.float32),
        columns=_columns(groups),
    )


def _columns(groups: list[NDArray[np.float32]]) -> Columns:
    """Dense groups (entities, columns each) as sparse columns; they have few columns, so dense ones fit in memory."""
    entities: list[NDArray[np.int32]] = []
    values: list[NDArray[np.float32]] = []
    for group in groups:
        for column in group.T:
            filled = np.flatnonzero(column)
            entities.append(filled.astype(np.int32))
            values.append(column[filled])
    sizes = [len(part) for part in entities]
    return Columns(
        groups=np.cumsum([0] + [group.shape[1] for group in groups]).astype(np.int64),
        pointers=np.cumsum([0, *sizes]).astype(np.int64),
        entities=np.concatenate([np.zeros(0, np.int32), *entities]),
        values=np.concatenate([np.zeros(0, np.float32), *values]),
    )


def _eras(train: Ratings, u: NDArray[np.int32], count: int) -> list[NDArray[np.float32]]:
    """One column for each tenth of the users by the mean time of their training ratings; none without timestamps."""
    if len(train) == 0 or train.timestamps.min() == train.timestamps.max():
        return []
    rows = np.bincount(u, minlength=count)
    times = np.bincount(u, (train.timestamps - train.timestamps.min()).astype(np.float64), count) / np.maximum(rows, 1)
    edges = np.quantile(times[rows > 0], np.linspace(0, 1, ERAS + 1)[1:-1])
    group = np.zeros((count + 1, ERAS), np.float32)
    group[np.arange(count), np.searchsorted(edges, times)] = rows > 0
    return [group]


def describe_movies(movie_ids: Ids, catalogue: Catalogue) -> list[NDArray[np.float32]]:
    """Groups of columns (M + 1, columns): genres, PCA features, release years in bins; zeros outside the catalogue.

    ``movie_ids`` (M,) are ascending and include the catalogue.
    """
    rows = np.searchsorted(movie_ids, catalogue.movies)
    groups = [_genres(catalogue), _components(catalogue), _years(catalogue)]
    return [_scatter(group, rows, len(movie_ids) + 1) for group in groups if group.shape[1] > 0]


def _scatter(group: NDArray[np.float32], rows: NDArray[np.intp], count: int) -> NDArray[np.float32]:
    """``group`` in these ``rows`` of (count, columns), zeros elsewhere."""
    out = np.zeros((count, group.shape[1]), np.float32)
    out[rows] = group
    return out


def _genres(catalogue: Catalogue) -> NDArray[np.float32]:
    """A column per genre; a movie's entries share a squared length of one."""
    genres = [catalogue.genre_names(row) for row in range(len(catalogue))]
    columns = {name: column for column, name in enumerate(sorted({name for names in genres for name in names}))}
    group = np.zeros((len(catalogue), len(columns)), np.float32)
    for row, names in enumerate(genres):
        for name in names:
            group[row, columns[name]] = len(names) ** -0.5
    return group


def _components(catalogue: Catalogue) -> NDArray[np.float32]:
    """``features`` at unit variance, zero where a movie has none; no columns when no movie has any."""
    known = np.asarray(np.isfinite(catalogue.features).all(axis=1))
    if not known.any():
        return np.zeros((len(catalogue), 0), np.float32)
    filled: NDArray[np.float32] = np.where(known[:, None], catalogue.features, np.float32(0.0))
    std: NDArray[np.float32] = np.asarray(filled[known].std(axis=0))
    varied = np.flatnonzero(std)
    return np.asarray(filled[:, varied] / (std[varied] * np.sqrt(max(1, len(varied)))), np.float32)


def _years(catalogue: Catalogue) -> NDArray[np.float32]:
    """One column for each five years of release, for titles that end in "(1995)"."""
    bins = [year // YEARS_PER_BIN if year != UNKNOWN_YEAR else -1 for year in catalogue.years().tolist()]
    columns = {value: column for column, value in enumerate(sorted(set(bins) - {-1}))}
    group = np.zeros((len(catalogue), len(columns)), np.float32)
    for row, value in enumerate(bins):
        if value in columns:
            group[row, columns[value]] = 1.0
    return group
