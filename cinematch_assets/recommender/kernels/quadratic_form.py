"""xᵀAx for many sparse x, without the product Ax.

Here: the kernel. Not here: the matrix it is used with (``recommender.ranking.ease_dual``). Importing this module
loads numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.kernels.compiled import compiled_in_order


def quadratic_forms(rows: sparse.csr_matrix, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """xᵀAx, (n,), of each row x of ``rows`` (n, m) with ``matrix`` A (m, m).

    The time is the sum of the squared numbers of stored cells; a product A x for all rows would be n·m numbers.
    """
    forms = np.zeros(rows.shape[0])
    _sum(rows.indptr, rows.indices, rows.data.astype(np.float64), np.ascontiguousarray(matrix), forms)
    return forms


@compiled_in_order
def _sum(  # pragma: no cover - compiled
    starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
    matrix: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """out[row] = Σᵢ xᵢ Σⱼ Aᵢⱼ xⱼ over the stored cells i and j of the row."""
    for row in range(len(out)):
        for i in range(starts[row], starts[row + 1]):
            total = 0.0
            for j in range(starts[row], starts[row + 1]):
                total += matrix[columns[i], columns[j]] * values[j]
            out[row] += values[i] * total
