"""xᵀAx for many sparse x, without the product Ax.

Here: the loop. Not here: what it is asked for (``ranking.dual``). Importing this loads numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.kernels.compiled import compiled_in_order


def quadratic_forms(rows: sparse.csr_matrix, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """xᵀAx of each row x of (n, m) with ``matrix`` (m, m): the squares of its cells, where Ax would be n·m numbers."""
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
    for row in range(len(out)):
        for left in range(starts[row], starts[row + 1]):
            total = 0.0
            for right in range(starts[row], starts[row + 1]):
                total += matrix[columns[left], columns[right]] * values[right]
            out[row] += values[left] * total
