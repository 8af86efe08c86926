"""The k best columns of each row of scores, without excluded ones.

Here: selection from scores, and the columns to exclude. Not here: where scores come from
(``recommender.ranking.ease_dual``, ``recommender.ranking.ease_sparse``). Importing this
module loads numba, so it is imported where it is used.

Each selection depends on its own row alone, so it is the same on one thread and on many. Equal scores are ordered by
column, lowest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import positions
from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs, sorted_by_user
from cinematch_assets.recommender.kernels.compiled import compiled_in_order

Compressed = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Starts, columns and values of a matrix in compressed rows (or starts, rows and values, in compressed columns)."""

NO_COLUMN = -1
"""Fills the end of a row of ``Best`` that has fewer than k candidates; the score there is -inf."""

BLOCK_USERS = 256
"""Users whose scores one thread holds at once."""

SCAN_WIDTH = 256
"""Scores that are compared with the k-th best at once, in vector registers."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Columns to exclude, in compressed rows, ascending within a row: ``columns[starts[i]:starts[i + 1]]``."""

    starts: NDArray[np.int64]
    columns: Ids

    @classmethod
    def of(cls, users: Ids, movies: Ids, seen: UserMoviePairs) -> Exclusions:
        """The columns of ``movies`` (ascending) that each of ``users`` (in any order) has seen."""
        return Seen.of(seen).among(users, movies)

    @classmethod
    def none(cls, rows: int) -> Exclusions:
        """No exclusions for ``rows`` rows."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Seen:
    """(user, movie) pairs, (n,), sorted by user, so that the pairs of a block of users are found by binary search."""

    users: Ids
    movies: Ids

    @classmethod
    def of(cls, pairs: UserMoviePairs) -> Seen:
        """Pairs in any order; pairs that are sorted by user already are not copied."""
        return cls(*sorted_by_user(pairs))

    def among(self, users: Ids, movies: Ids) -> Exclusions:
        """The columns of ``movies`` (ascending) that each of ``users`` has seen."""
        first = np.searchsorted(self.users, users, "left")
        lengths = np.searchsorted(self.users, users, "right") - first
        starts = np.concatenate([[0], np.cumsum(lengths)])
        source = np.repeat(first - starts[:-1], lengths) + np.arange(starts[-1])
        columns, known = positions(self.movies[source], movies)
        rows = np.repeat(np.arange(len(users)), lengths)[known]
        columns = columns[known]
        cells = rows * len(movies) + columns
        if not (cells[1:] >= cells[:-1]).all():
            columns = columns[np.argsort(cells, kind="stable")]
        kept_starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(users)))]).astype(np.int64)
        return Exclusions(kept_starts, columns.astype(np.int32))


@dataclass(frozen=True, slots=True)
class Best:
    """``columns`` int32 and ``scores`` float32, both (rows, k), best first, then ``NO_COLUMN`` and -inf."""

    columns: Ids
    scores: Floats

    @classmethod
    def unfilled(cls, rows: int, k: int) -> Best:
        """Nothing selected yet."""
        return cls(np.full((rows, k), NO_COLUMN, np.int32), np.full((rows, k), -np.inf, np.float32))


def best_of_scores(scores: Floats, k: int, excluded: Exclusions) -> Best:
    """Select the ``k`` best columns of each row of (rows, m) scores; -inf and NaN are never selected."""
    best = Best.unfilled(len(scores), min(k, scores.shape[1]))
    merge_scores(
        np.ascontiguousarray(scores, np.float32), 0, excluded.starts, excluded.columns, best.columns, best.scores
    )
    return best


@compiled_in_order
def insert_score(  # pragma: no cover - compiled
    columns: NDArray[Any], scores: NDArray[Any], column: int, score: float
) -> None:
    """Insert into a selection that is sorted best first, dropping its last; equal scores are ordered by column."""
    slot = len(scores) - 1
    while slot > 0 and (scores[slot - 1] < score or (scores[slot - 1] == score and columns[slot - 1] > column)):
        scores[slot] = scores[slot - 1]
        columns[slot] = columns[slot - 1]
        slot -= 1
    scores[slot] = score
    columns[slot] = column


@compiled_in_order
def offer_score(  # pragma: no cover - compiled
    columns: NDArray[Any], scores: NDArray[Any], column: int, score: float
) -> None:
    """Insert into a selection of at least one place, if the score is among the best."""
    last = len(scores) - 1
    if score > scores[last] or (score == scores[last] and column < columns[last]):
        insert_score(columns, scores, column, score)


@compiled_in_order
def _none_above(values: NDArray[Any], threshold: float) -> bool:  # pragma: no cover - compiled
    """Whether no value is above the threshold, by counting, which vector registers can do."""
    count = np.int32(0)
    for i in range(len(values)):
        count += np.int32(values[i] > threshold)
    return bool(count == 0)


@compiled_in_order
def merge_scores(  # pragma: no cover - compiled
    tile: NDArray[Any],
    first: int,
    starts: NDArray[Any],
    excluded: NDArray[Any],
    columns: NDArray[Any],
    scores: NDArray[Any],
) -> None:
    """Merge a tile of scores, whose columns begin at ``first``, into ``columns`` and ``scores``, (rows, k).

    ``starts`` and ``excluded`` are the arrays of ``Exclusions``; excluded cells of the tile become -inf.
    """
    width = tile.shape[1]
    for row in range(tile.shape[0]):
        values = tile[row]
        # Overwrite the excluded columns that lie in this tile.
        cell, end = starts[row], starts[row + 1]
        cell += np.searchsorted(excluded[cell:end], first)
        while cell < end and excluded[cell] < first + width:
            values[excluded[cell] - first] = -np.inf
            cell += 1
        last = len(scores[row]) - 1
        if last < 0:
            continue
        # Insert what is above the k-th best; most stretches of SCAN_WIDTH scores have nothing that is.
        for offset in range(0, width, SCAN_WIDTH):
            part = values[offset : offset + SCAN_WIDTH]
            if _none_above(part, scores[row, last]):
                continue
            for i in range(len(part)):
                if part[i] > scores[row, last]:
                    insert_score(columns[row], scores[row], first + offset + i, part[i])
