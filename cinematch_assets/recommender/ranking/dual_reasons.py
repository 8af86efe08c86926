"""Columns of B for EASE in dual form, compiled.

Here: B from rated to some target movies. Not here: the model and its symbols (``ranking.ease_dual``), what contributes
most (``ranking.reasons``). Importing this module loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.topn import Compressed


def dual_columns(
    rated: Ids, targets: Ids, train: Compressed, dual_inverse: Floats, scales: tuple[Floats, Floats]
) -> Floats:
    """B_ij = x̃_iᵀ A x̃_j · scale_i · scale_j for i of ``rated`` and j of ``targets``, (targets, rated), B_jj = 0.

    Args:
        rated: columns of movies.
        targets: columns of movies.
        train: X̃ in compressed columns, (U, M).
        dual_inverse: A, (U, U).
        scales: 1 / L_i and 1 / (L_j P_jj), (M,) each.
    """
    projected = np.zeros((len(targets), len(dual_inverse)), np.float32)
    _project(targets, train, dual_inverse, projected)
    out = np.empty((len(targets), len(rated)), np.float32)
    _multiply(rated, targets, train, np.ascontiguousarray(projected.T), scales, out)
    return out


@compiled
def _project(  # pragma: no cover - compiled
    targets: NDArray[Any], train: Compressed, dual_inverse: NDArray[Any], projected: NDArray[Any]
) -> None:
    """projected[j] = A x̃_j, the sum of A's rows over the raters of targets[j]; A is symmetric."""
    starts, users, weights = train
    for j in range(len(targets)):
        total = projected[j]
        for entry in range(starts[targets[j]], starts[targets[j] + 1]):
            share, row = weights[entry], dual_inverse[users[entry]]
            for user in range(len(total)):
                total[user] += share * row[user]


@compiled
def _multiply(  # pragma: no cover - compiled
    rated: NDArray[Any],
    targets: NDArray[Any],
    train: Compressed,
    projected: NDArray[Any],
    scales: tuple[NDArray[Any], NDArray[Any]],
    out: NDArray[Any],
) -> None:
    """out[:, i] = x̃_iᵀ of rated[i] times ``projected``, (U, targets), and both scales; zero for the movie itself."""
    starts, users, weights = train
    target_scales = scales[1][targets]
    total = np.empty(len(targets), np.float32)
    for i in range(len(rated)):
        total[:] = 0.0
        for entry in range(starts[rated[i]], starts[rated[i] + 1]):
            share, row = weights[entry], projected[users[entry]]
            for j in range(len(total)):
                total[j] += share * row[j]
        own_scale = scales[0][rated[i]]
        for j in range(len(total)):
            out[j, i] = total[j] * own_scale * target_scales[j] if targets[j] != rated[i] else np.float32(0.0)
