"""Re-rank a user's candidate pool by a weighted sum of z-scored signals: EASE, implicit ALS, predicted rating, genres.

Here: the order within a pool. Not here: the pool (``ranking.ease_dual``, ``ranking.ease_sparse``), the signals
(``ranking.implicit_als``, ``rating_prediction.rating_table``, ``ranking.genre_match``), franchises
(``ranking.diversity``). Importing this module loads numba.

Signals have scales of their own, so each is standardized over the user's pool before they are added up:
s_i = z(e_i) + Σ w z(v_i), z(x) = (x − mean) / standard deviation. A signal that is constant over the pool adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats
from cinematch_assets.recommender.kernels.compiled import compiled, compiled_in_order
from cinematch_assets.recommender.kernels.parallel import run_blocks
from cinematch_assets.recommender.kernels.topn import BLOCK_USERS, Best

POOL = 50
"""Movies that are re-ranked for a list of ten; with 100 and 200 nDCG@10 was the same on validation rows."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Values ``users`` (rows, f) · ``movies`` (M, f), which count ``weight`` times."""

    users: Floats
    movies: Floats
    weight: float


def rerank_by_signals(pool: Best, signals: Sequence[Signal]) -> Best:
    """Order the movies of each row, (rows, n), by the weighted sum of their own score and all signals.

    Movies with equal sums keep their order.
    """
    columns, scores = np.empty_like(pool.columns), np.empty_like(pool.scores)

    def rerank_from(start: int) -> None:
        block = slice(start, start + BLOCK_USERS)
        movies = pool.columns[block]
        total = np.where(movies >= 0, np.float32(0.0), np.float32(-np.inf))
        _add_standardized(movies, pool.scores[block], np.float32(1.0), total)
        for signal in signals:
            values = np.empty(movies.shape, np.float32)
            _signal_values(movies, signal.users[block], signal.movies, values)
            _add_standardized(movies, values, np.float32(signal.weight), total)
        order = np.argsort(-total, axis=1, kind="stable")
        columns[block] = np.take_along_axis(movies, order, axis=1)
        scores[block] = np.take_along_axis(total, order, axis=1)

    run_blocks(rerank_from, range(0, len(columns), BLOCK_USERS))
    return Best(columns, scores)


@compiled
def _signal_values(  # pragma: no cover - compiled
    columns: NDArray[Any], users: NDArray[Any], movies: NDArray[Any], values: NDArray[Any]
) -> None:
    """values[row, slot] = users[row] · movies[columns[row, slot]]; nothing is written for empty slots."""
    for row in range(len(columns)):
        for slot in range(columns.shape[1]):
            if columns[row, slot] >= 0:
                movie = movies[columns[row, slot]]
                value = np.float32(0.0)
                for f in range(len(movie)):
                    value += users[row, f] * movie[f]
                values[row, slot] = value


@compiled_in_order
def _add_standardized(  # pragma: no cover - compiled
    columns: NDArray[Any], values: NDArray[Any], weight: Any, total: NDArray[Any]
) -> None:
    """Add weight · (values − mean) / std to ``total``, with mean and std over the first ``POOL`` slots of each row."""
    for row in range(len(columns)):
        # Mean.
        count, mean, squares = 0, 0.0, 0.0
        for slot in range(min(POOL, columns.shape[1])):
            if columns[row, slot] >= 0:
                count += 1
                mean += values[row, slot]
        if count == 0:
            continue
        mean /= count
        # Standard deviation.
        for slot in range(min(POOL, columns.shape[1])):
            if columns[row, slot] >= 0:
                squares += (values[row, slot] - mean) ** 2
        if squares <= 0.0:
            continue
        scale = weight / np.sqrt(squares / count)
        # Every slot, also those beyond the first POOL.
        for slot in range(columns.shape[1]):
            if columns[row, slot] >= 0:
                total[row, slot] += scale * (values[row, slot] - mean)
