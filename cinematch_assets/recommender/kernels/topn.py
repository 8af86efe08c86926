"""The k best movies of many users, without those that each has seen, in bounded memory on every core.

Here: selection from scores and from factors. Not here: where they come from (``stars``,
``ranking``). Importing this module loads numba, so it is imported where it is used.

Every list is a function of its own row alone, added up in a fixed order: the same on one thread and on many. Equal
scores are ordered by column, lowest first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs, positions
from cinematch_assets.recommender.kernels.compiled import compiled_in_order

Compressed = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Starts, columns and values of a matrix in compressed rows (or starts, rows and values, in compressed columns)."""

NONE = -1
"""The column of a place on a list that nothing could fill; its score is -inf."""

LOOKED_AT_ONCE = 64
"""Scores that one comparison in vector registers can pass over."""

USERS_AT_ONCE = 256
BLOCK_ITEMS = 4096
"""A tile of scores is 4 MB of float32: it stays in the cache between being computed and being looked through."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Columns that are left out, in compressed rows, ascending within a row: ``columns[starts[i]:starts[i + 1]]``."""

    starts: NDArray[np.int64]
    columns: Ids

    @classmethod
    def of(cls, users: Ids, movies: Ids, seen: UserMoviePairs) -> Exclusions:
        """What each of ``users`` (in any order) has seen among ``movies`` (ascending)."""
        return Seen.of(seen).among(users, movies)

    @classmethod
    def none(cls, rows: int) -> Exclusions:
        """Nothing is left out."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Seen:
    """Pairs by user, (n,), so that a block of users costs its own pairs and not everybody's; ``users`` ascend."""

    users: Ids
    movies: Ids

    @classmethod
    def of(cls, pairs: UserMoviePairs) -> Seen:
        """Pairs in any order; those that are in canonical order already are taken as they are."""
        users, movies = np.asarray(pairs.users, np.int32), np.asarray(pairs.movies, np.int32)
        if (users[1:] >= users[:-1]).all():
            return cls(users, movies)
        order = np.argsort(users, kind="stable")
        return cls(users[order], movies[order])

    def among(self, users: Ids, movies: Ids) -> Exclusions:
        """The columns of ``movies`` (ascending) that each of ``users`` has seen."""
        first = np.searchsorted(self.users, users, "left")
        lengths = np.searchsorted(self.users, users, "right") - first
        begin = np.concatenate([[0], np.cumsum(lengths)])
        source = np.repeat(first - begin[:-1], lengths) + np.arange(begin[-1])
        columns, known = positions(self.movies[source], movies)
        rows = np.repeat(np.arange(len(users)), lengths)[known]
        columns = columns[known]
        cells = rows * len(movies) + columns
        if not (cells[1:] >= cells[:-1]).all():
            columns = columns[np.argsort(cells, kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(users)))]).astype(np.int64)
        return Exclusions(starts, columns.astype(np.int32))


@dataclass(frozen=True, slots=True)
class Best:
    """``columns`` int32 and ``scores`` float32, both (rows, k), best first; unfilled places are ``NONE`` and -inf."""

    columns: Ids
    scores: Floats

    @classmethod
    def unfilled(cls, rows: int, k: int) -> Best:
        """Lists with nothing on them yet."""
        return cls(np.full((rows, k), NONE, np.int32), np.full((rows, k), -np.inf, np.float32))


def best_of_scores(scores: Floats, k: int, skipped: Exclusions) -> Best:
    """The ``k`` best columns of each row of (rows, m) scores; a score of -inf or NaN is never listed."""
    best = Best.unfilled(len(scores), min(k, scores.shape[1]))
    merge(np.ascontiguousarray(scores, np.float32), 0, skipped.starts, skipped.columns, best.columns, best.scores)
    return best


def best_of_factors(users: Floats, movies: Floats, k: int, skipped: Exclusions, *, bias: Floats | None = None) -> Best:
    """The ``k`` best of ``users @ movies.T + bias`` for factors (rows, f) and (m, f), and biases (m,).

    Scores exist one tile at a time: memory is 4 MB a thread beside the result.
    """
    width = len(movies)
    best = Best.unfilled(len(users), min(k, width))
    if bias is not None:  # as one more factor, it costs no pass of its own
        users = np.column_stack([users, np.ones(len(users), np.float32)])
        movies = np.column_stack([movies, bias])
    columns = np.ascontiguousarray(movies.T, np.float32)
    kept = threading.local()

    def rows_from(start: int) -> None:
        rows = slice(start, min(start + USERS_AT_ONCE, len(users)))
        starts = skipped.starts[rows.start : rows.stop + 1]
        room: Floats | None = getattr(kept, "room", None)
        if room is None:
            room = kept.room = np.empty(USERS_AT_ONCE * BLOCK_ITEMS, np.float32)
        for first in range(0, width, BLOCK_ITEMS):
            last = min(first + BLOCK_ITEMS, width)
            shape = (rows.stop - rows.start, last - first)
            tile = room[: shape[0] * shape[1]].reshape(shape)
            np.matmul(users[rows], columns[:, first:last], out=tile)
            merge(tile, first, starts, skipped.columns, best.columns[rows], best.scores[rows])

    in_blocks(rows_from, range(0, len(users), USERS_AT_ONCE))
    return best


def in_blocks(work: Callable[[int], None], starts: range) -> None:
    """Do ``work(start)`` for each block on all cores; BLAS stays on one thread, so sums have one order."""
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(cores()) as pool:
        for done in pool.map(work, starts):
            _ = done


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@compiled_in_order
def put(columns: NDArray[Any], scores: NDArray[Any], column: int, score: float) -> None:  # pragma: no cover - compiled
    """Insert into a list kept best first; an equal score goes behind those before it."""
    at = len(scores) - 1
    while at > 0 and scores[at - 1] < score:
        scores[at] = scores[at - 1]
        columns[at] = columns[at - 1]
        at -= 1
    scores[at] = score
    columns[at] = column


@compiled_in_order
def _none_above(values: NDArray[Any], bar: float) -> bool:  # pragma: no cover - compiled
    """Whether no value is above the bar, by counting, which vector registers can do."""
    count = np.int32(0)
    for at in range(len(values)):
        count += np.int32(values[at] > bar)
    return bool(count == 0)


@compiled_in_order
def merge(  # pragma: no cover - compiled
    tile: NDArray[Any],
    first: int,
    starts: NDArray[Any],
    skipped: NDArray[Any],
    columns: NDArray[Any],
    scores: NDArray[Any],
) -> None:
    """Merge a tile of scores, whose columns begin at ``first``, into the lists; what is left out becomes -inf."""
    width = tile.shape[1]
    for row in range(tile.shape[0]):
        values = tile[row]
        begin, end = starts[row], starts[row + 1]
        begin += np.searchsorted(skipped[begin:end], first)
        while begin < end and skipped[begin] < first + width:
            values[skipped[begin] - first] = -np.inf
            begin += 1
        worst = len(scores[row]) - 1
        if worst < 0:
            continue
        for begin in range(0, width, LOOKED_AT_ONCE):
            part = values[begin : begin + LOOKED_AT_ONCE]
            if _none_above(part, scores[row, worst]):
                continue
            for at in range(len(part)):
                if part[at] > scores[row, worst]:
                    put(columns[row], scores[row], first + begin + at, part[at])
