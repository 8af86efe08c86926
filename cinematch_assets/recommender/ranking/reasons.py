"""Reasons: the movies of a user's history that contribute most to the EASE score of a movie.

Here: the largest contributions to many scores, from columns of B. Not here: the columns (``ranking.ease_sparse``), the
dual form, which needs none (``ranking.dual_reasons``). Importing this module loads numba.

An EASE score is a sum over the history, e_j = Σ_i x_i B_ij: movie i contributes x_i B_ij, exactly. Implicit-ALS scores
and predicted ratings, which order the pool as well, are no such sums and have no part in reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.kernels.compiled import compiled_in_order
from cinematch_assets.recommender.kernels.parallel import run_blocks
from cinematch_assets.recommender.kernels.topn import NO_COLUMN, Compressed, insert_score

REASONS = 3
"""Movies named for each recommended one."""

BLOCK_MOVIES = 64
"""Listed movies whose columns of B a thread holds at once."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """``columns`` int32 and ``values`` float32, (rows, k, ``REASONS``), largest first, then ``NO_COLUMN`` and 0.

    Only positive contributions are listed: a movie that lowered the score is no reason.
    """

    columns: Ids
    values: Floats


@dataclass(frozen=True, slots=True)
class ListedMovies:
    """The movies of lists (rows, k), each with the places that list it: a place is row · k + slot."""

    movies: Ids  # (n,) ascending columns, without empty slots
    places: Ids  # those of one movie together
    bounds: NDArray[np.int64]  # (n + 1,) where the places of each movie start

    @classmethod
    def of(cls, listed: Ids) -> ListedMovies:
        """Sort the places of ``listed``, empty slots −1, by movie."""
        places = np.argsort(listed.ravel(), kind="stable").astype(np.int32)
        movies, starts = np.unique(listed.ravel()[places], return_index=True)
        first = int(np.searchsorted(movies, 0))
        return cls(movies[first:], places, np.append(starts, len(places))[first:])


def no_contributions(shape: tuple[int, ...]) -> Contributions:
    """Room for the contributions to lists (rows, k)."""
    shape = *shape, REASONS
    return Contributions(np.full(shape, NO_COLUMN, np.int32), np.zeros(shape, np.float32))


def largest_contributions(
    weights: sparse.csr_matrix, listed: Ids, columns: Callable[[Ids, Ids], Floats]
) -> Contributions:
    """The largest x_i B_ij for each movie j of ``listed`` (rows, k), empty slots −1, by the rows X of ``weights``.

    ``columns(rated, targets)`` gives B from rated to target movies, (targets, rated), with B_jj = 0. It is asked once
    for each listed movie, whichever lists it is in: lists share their movies, and a column just made is in the cache.
    """
    found = no_contributions(listed.shape)
    rated = np.flatnonzero(np.bincount(weights.indices, minlength=weights.shape[1])).astype(np.int32)
    index = np.zeros(weights.shape[1], np.int32)
    index[rated] = np.arange(len(rated), dtype=np.int32)
    rows = weights.indptr, index[weights.indices], weights.data
    lists = ListedMovies.of(listed)

    def explain_from(first: int) -> None:
        bounds = lists.bounds[first : first + BLOCK_MOVIES + 1]
        asked = lists.places[bounds[0] : bounds[-1]], bounds - bounds[0]
        targets = lists.movies[first : first + BLOCK_MOVIES]
        _contribute(rows, columns(rated, targets), asked, (found.columns, found.values))

    run_blocks(explain_from, range(0, len(lists.movies), BLOCK_MOVIES))
    known = found.columns >= 0
    found.columns[known] = rated[found.columns[known]]
    return found


@compiled_in_order
def _contribute(  # pragma: no cover - compiled
    history: Compressed, columns: NDArray[Any], asked: tuple[NDArray[Any], NDArray[Any]], found: tuple[Any, Any]
) -> None:
    """Insert weight · B into the reasons of each place that lists one of the block's movies.

    ``columns`` is B, (movies, rated); ``asked`` are the places of all the block's movies, and where those of each movie
    start.
    """
    starts, rated, weights = history
    places, bounds = asked
    width = found[0].shape[1]
    for j in range(len(columns)):
        cells = columns[j]
        for place in places[bounds[j] : bounds[j + 1]]:
            row, slot = place // width, place % width
            named, values = found[0][row, slot], found[1][row, slot]
            least = values[-1]
            for entry in range(starts[row], starts[row + 1]):
                value = weights[entry] * cells[rated[entry]]
                if value > least:
                    insert_score(named, values, rated[entry], value)
                    least = values[-1]
