"""The best movies by factors alone, as the scale table times them beside implicit's ``recommend``."""

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.parallel import run_blocks
from cinematch_assets.recommender.kernels.topn import BLOCK_USERS, Best, Exclusions, merge_scores

BLOCK_ITEMS = 4096
"""A tile of scores is 4 MB of float32: it stays in the cache between being computed and being searched."""

Floats = NDArray[np.float32]


def best_of_factors(users: Floats, movies: Floats, bias: Floats, k: int, excluded: Exclusions) -> Best:
    """The ``k`` best of ``users @ movies.T + bias`` for factors (rows, f) and (m, f), and biases (m,)."""
    best = Best.unfilled(len(users), min(k, len(movies)))
    users = np.column_stack([users, np.ones(len(users), np.float32)])
    columns = np.ascontiguousarray(np.column_stack([movies, bias]).T, np.float32)

    def block(start: int) -> None:
        rows = slice(start, min(start + BLOCK_USERS, len(users)))
        starts = excluded.starts[rows.start : rows.stop + 1]
        for first in range(0, len(movies), BLOCK_ITEMS):
            tile = users[rows] @ columns[:, first : first + BLOCK_ITEMS]
            merge_scores(tile, first, starts, excluded.columns, best.columns[rows], best.scores[rows])

    run_blocks(block, range(0, len(users), BLOCK_USERS))
    return best
