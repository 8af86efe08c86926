"""Reasons for EASE in dual form: each weight of B is used when it is known, and none is kept.

Here: the largest contributions, compiled. Not here: the model and its symbols (``ranking.ease_dual``), reasons from
columns of B (``ranking.reasons``). Importing this module loads numba.

For a block of listed movies j the products A x̃_j are made first. Then, rated movie by rated movie i, a row of B is
B_ij = x̃_iᵀ A x̃_j · scale_i · scale_j, and goes into the reasons of the users who rated i and have j in their list.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.kernels.compiled import compiled, compiled_in_order
from cinematch_assets.recommender.kernels.parallel import run_blocks
from cinematch_assets.recommender.kernels.topn import Compressed, insert_score
from cinematch_assets.recommender.ranking.reasons import REASONS, Contributions, ListedMovies, no_contributions

BLOCK_MOVIES = 512
"""Listed movies at once, or fewer: a rated movie and its raters are read once for all; A x̃_j for them fits a cache."""


def dual_contributions(
    weights: sparse.csr_matrix, listed: Ids, train: Compressed, dual_inverse: Floats, scales: tuple[Floats, Floats]
) -> Contributions:
    """The largest x_i B_ij for each movie j of ``listed`` (rows, k), empty slots −1, by the rows X of ``weights``.

    Args:
        weights: X, (rows, M).
        listed: columns of movies.
        train: X̃ in compressed columns, (U, M).
        dual_inverse: A, (U, U).
        scales: 1 / L_i and 1 / (L_j P_jj), (M,) each.
    """
    found = no_contributions(listed.shape)
    by_place = found.columns.reshape(-1, REASONS), found.values.reshape(-1, REASONS)
    by_movie = weights.tocsc()
    history = by_movie.indptr, by_movie.indices, by_movie.data
    lists = ListedMovies.of(listed)
    blocks = max(1, math.ceil(len(lists.movies) / BLOCK_MOVIES))
    size = max(1, math.ceil(len(lists.movies) / blocks))  # equal blocks keep all threads busy to the end

    def explain_from(first: int) -> None:
        targets = lists.movies[first : first + size]
        projected = np.zeros((len(targets), len(dual_inverse)), np.float32)
        _project(targets, train, dual_inverse, projected)
        bounds = lists.bounds[first : first + size + 1]
        asked = lists.places[bounds[0] : bounds[-1]], np.repeat(np.arange(len(targets)), np.diff(bounds))
        by_row = np.argsort(asked[0], kind="stable")
        places, target_of = asked[0][by_row], asked[1][by_row].astype(np.int32)
        starts = np.searchsorted(places, np.arange(len(listed) + 1) * listed.shape[1]).astype(np.int32)
        _contribute(
            history, (starts, places, target_of), targets, train, np.ascontiguousarray(projected.T), scales, by_place
        )

    run_blocks(explain_from, range(0, len(lists.movies), size))
    return found


@compiled
def _add_rows(
    total: NDArray[Any], users: NDArray[Any], shares: NDArray[Any], rows: NDArray[Any]
) -> None:  # pragma: no cover - compiled
    """Add the sum of ``rows[users]`` times ``shares`` to ``total``, four rows at a time."""
    entry = 0
    while entry + 4 <= len(users):
        a, b, c, d = shares[entry], shares[entry + 1], shares[entry + 2], shares[entry + 3]
        p, q, r, s = rows[users[entry]], rows[users[entry + 1]], rows[users[entry + 2]], rows[users[entry + 3]]
        for j in range(len(total)):
            total[j] += a * p[j] + b * q[j] + c * r[j] + d * s[j]
        entry += 4
    while entry < len(users):
        a, p = shares[entry], rows[users[entry]]
        for j in range(len(total)):
            total[j] += a * p[j]
        entry += 1


@compiled
def _project(  # pragma: no cover - compiled
    targets: NDArray[Any], train: Compressed, dual_inverse: NDArray[Any], projected: NDArray[Any]
) -> None:
    """projected[j] = A x̃_j, the sum of A's rows over the raters of targets[j]; A is symmetric."""
    starts, users, shares = train
    for j in range(len(targets)):
        raters = slice(starts[targets[j]], starts[targets[j] + 1])
        _add_rows(projected[j], users[raters], shares[raters], dual_inverse)


@compiled
def _row_of_weights(  # pragma: no cover - compiled
    movie: int,
    targets: NDArray[Any],
    train: Compressed,
    projected: NDArray[Any],
    scales: tuple[float, NDArray[Any]],
    row: NDArray[Any],
) -> None:
    """row[j] = x̃_iᵀ times ``projected``, (U, targets), and both scales, for i = ``movie``; zero for itself."""
    starts, users, shares = train
    raters = slice(starts[movie], starts[movie + 1])
    row[:] = 0.0
    _add_rows(row, users[raters], shares[raters], projected)
    for j in range(len(row)):
        row[j] = row[j] * scales[0] * scales[1][j] if targets[j] != movie else np.float32(0.0)


@compiled_in_order
def _contribute(  # pragma: no cover - compiled
    history: Compressed,
    asked: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    targets: NDArray[Any],
    train: Compressed,
    projected: NDArray[Any],
    scales: tuple[NDArray[Any], NDArray[Any]],
    found: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """Insert weight · B into the reasons of each place that lists one of the block's movies.

    ``history`` is X in compressed columns; ``asked`` where the places of each row of X start, those places, and which
    of ``targets`` each lists; ``found`` columns and values, (places, ``REASONS``).
    """
    starts, rows, weights = history
    first, places, target_of = asked
    lowest = np.zeros(len(places), np.float32)  # of the values found so far for each place, in the order of ``places``
    row = np.empty(len(targets), np.float32)
    target_scales = scales[1][targets]
    for movie in range(len(starts) - 1):
        if starts[movie] == starts[movie + 1]:
            continue
        _row_of_weights(movie, targets, train, projected, (scales[0][movie], target_scales), row)
        for entry in range(starts[movie], starts[movie + 1]):
            for position in range(first[rows[entry]], first[rows[entry] + 1]):
                value = weights[entry] * row[target_of[position]]
                if value > lowest[position]:
                    values = found[1][places[position]]
                    insert_score(found[0][places[position]], values, movie, value)
                    lowest[position] = values[-1]
