"""One list from several opinions: the best movies by likeness, put in order by likings and expected stars as well.

Here: the order within a pool. Not here: where the pool comes from (``dual``, ``sparse``), the opinions
(``likings``, ``stars/table``), franchises (``variety``). Importing this module loads numba.

Opinions have scales of their own, so each is standardized over a user's pool before they are added up:
s_i = z(e_i) + Σ w z(v_i), z(x) = (x − mean) / standard deviation. One that is the same for all movies says nothing.
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
"""Movies that are put in order for a list of ten; with 100 and 200 nDCG@10 was the same on validation rows."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What somebody thinks of movies: ``users`` (rows, f) · ``movies`` (M, f), which counts ``weight`` times."""

    users: Floats
    movies: Floats
    weight: float


def blended(best: Best, signals: Sequence[Signal]) -> Best:
    """The same movies for each row, (rows, pool), in the order of all opinions; equals stay as they were."""
    columns, scores = np.empty_like(best.columns), np.empty_like(best.scores)

    def rows_from(start: int) -> None:
        some = slice(start, start + BLOCK_USERS)
        pool = best.columns[some]
        total = np.where(pool >= 0, np.float32(0.0), np.float32(-np.inf))
        _add(pool, best.scores[some], np.float32(1.0), total)
        for signal in signals:
            values = np.empty(pool.shape, np.float32)
            _values(pool, signal.users[some], signal.movies, values)
            _add(pool, values, np.float32(signal.weight), total)
        order = np.argsort(-total, axis=1, kind="stable")
        columns[some] = np.take_along_axis(pool, order, axis=1)
        scores[some] = np.take_along_axis(total, order, axis=1)

    run_blocks(rows_from, range(0, len(columns), BLOCK_USERS))
    return Best(columns, scores)


@compiled
def _values(  # pragma: no cover - compiled
    columns: NDArray[Any], users: NDArray[Any], movies: NDArray[Any], values: NDArray[Any]
) -> None:
    """Each row's user factors times those of its movies; nothing is written for empty places."""
    for row in range(len(columns)):
        for place in range(columns.shape[1]):
            if columns[row, place] >= 0:
                movie = movies[columns[row, place]]
                value = np.float32(0.0)
                for f in range(len(movie)):
                    value += users[row, f] * movie[f]
                values[row, place] = value


@compiled_in_order
def _add(  # pragma: no cover - compiled
    columns: NDArray[Any], values: NDArray[Any], weight: Any, total: NDArray[Any]
) -> None:
    """Add each row's standardized values; mean and deviation are those of the movies in the first ``POOL`` places."""
    for row in range(len(columns)):
        count, mean, spread = 0, 0.0, 0.0
        for place in range(min(POOL, columns.shape[1])):
            if columns[row, place] >= 0:
                count += 1
                mean += values[row, place]
        if count == 0:
            continue
        mean /= count
        for place in range(min(POOL, columns.shape[1])):
            if columns[row, place] >= 0:
                spread += (values[row, place] - mean) ** 2
        if spread <= 0.0:
            continue
        scale = weight / np.sqrt(spread / count)
        for place in range(columns.shape[1]):
            if columns[row, place] >= 0:
                total[row, place] += scale * (values[row, place] - mean)
