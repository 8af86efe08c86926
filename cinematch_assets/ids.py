"""Which ids there are, where they stand and how often, in time linear in the rows.

Here: questions that ``np.unique`` and ``np.searchsorted`` answer too, by sorting and by binary search. Not here: pairs
of ids (``pairs``), rows of ratings (``recommender.data``).

Ids in ascending order are answered from their neighbours, ids within a short range from a table of that range. Only
others, such as ids of nine digits, are sorted.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Id = TypeVar("Id", bound=np.integer[Any])
"""The dtype of ids, which stays the same."""

Ids = NDArray[np.integer[Any]]

TABLE_WIDTH_PER_ROW = 2
"""A table is at most this many times as long as the rows: as int32 it is then no larger than a column of int64."""

BLOCK_ROWS = 1 << 17
"""Rows that are answered at once: what is made on the way stays in the cache."""


def distinct(ids: NDArray[Id]) -> NDArray[Id]:
    """The different ids of (n,), ascending."""
    if _is_ascending(ids):
        return ids[_firsts(ids)]
    low, width = _range(ids)
    if not _fits(width, len(ids)):
        return np.unique(ids)
    is_there = np.zeros(width, np.bool_)
    is_there[ids - low] = True
    return (np.flatnonzero(is_there) + low).astype(ids.dtype)


def distinct_counts(ids: NDArray[Id]) -> tuple[NDArray[Id], NDArray[np.int64]]:
    """The different ids of (n,), ascending, and how often each occurs."""
    if _is_ascending(ids):
        firsts = np.flatnonzero(_firsts(ids))
        return ids[firsts], np.diff(np.append(firsts, len(ids)))
    low, width = _range(ids)
    if not _fits(width, len(ids)):
        return np.unique(ids, return_counts=True)
    counts = np.zeros(width, np.int64)
    for start in range(0, len(ids), BLOCK_ROWS):
        counts += np.bincount(ids[start : start + BLOCK_ROWS] - low, minlength=width)
    there = np.flatnonzero(counts)
    return (there + low).astype(ids.dtype), counts[there]


def positions(ids: Ids, known: Ids) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each of ``ids`` (n,) stands in the ascending ``known`` (0 when absent), and whether it is there at all."""
    if len(known) == 0:
        return np.zeros(len(ids), np.intp), np.zeros(len(ids), np.bool_)
    low, width = int(known[0]), int(known[-1]) - int(known[0]) + 1
    if not _fits(width, len(ids)):
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        found = known[at] == ids
        return np.where(found, at, 0), found
    table = np.full(width + 1, -1, np.int32)
    table[known - low] = np.arange(len(known), dtype=np.int32)
    at, found = np.empty(len(ids), np.intp), np.empty(len(ids), np.bool_)
    for start in range(0, len(ids), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        is_within = (ids[block] >= known[0]) & (ids[block] <= known[-1])
        places = table[np.where(is_within, ids[block] - low, width)]
        np.greater_equal(places, 0, out=found[block])
        np.maximum(places, 0, out=at[block])
    return at, found


def counts_among(ids: Ids, rows: Ids) -> NDArray[np.int64]:
    """How often each of ``ids`` (n,) occurs in ``rows`` (m,), both in any order; 0 when absent."""
    known, counts = distinct_counts(rows)
    at, found = positions(ids, known)
    return np.where(found, counts[at], 0) if len(known) else np.zeros(len(ids), np.int64)


def _is_ascending(ids: Ids) -> bool:
    return bool((ids[1:] >= ids[:-1]).all())


def _firsts(ids: Ids) -> NDArray[np.bool_]:
    """Which of the ascending ids (n,) differ from the one before."""
    return np.append(np.ones(min(1, len(ids)), np.bool_), ids[1:] != ids[:-1])


def _range(ids: Ids) -> tuple[int, int]:
    """The lowest id, and how many numbers there are from it to the highest."""
    low, high = int(ids.min()), int(ids.max())
    return low, high - low + 1


def _fits(width: int, rows: int) -> bool:
    return width <= TABLE_WIDTH_PER_ROW * rows
