"""Preconditioned conjugate gradient on A x = b, a step at a time, for kernels that compute the product A p themselves.

Here: the recurrences (Shewchuk 1994, appendix B3). Not here: the systems (``recommender.rating_prediction.als``,
``recommender.ranking.implicit_als``). Importing this module loads numba.

Symbols: residual r = b − A x, search direction p, preconditioner M, of which only the diagonal is kept, and
rz = rᵀM⁻¹r. All vectors are (n,) float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.compiled import compiled

TOLERANCE = np.float32(1e-12)
"""With rᵀM⁻¹r below this a system counts as solved."""


@compiled
def cg_start(  # pragma: no cover - compiled
    residual: NDArray[Any], preconditioner: NDArray[Any], direction: NDArray[Any]
) -> Any:
    """Set the first direction p = M⁻¹r and return rᵀM⁻¹r."""
    rz = np.float32(0.0)
    for f in range(len(direction)):
        direction[f] = residual[f] / preconditioner[f]
        rz += residual[f] * direction[f]
    return rz


@compiled
def cg_step(  # pragma: no cover - compiled
    rz: Any,
    Ap: NDArray[Any],
    preconditioner: NDArray[Any],
    x: NDArray[Any],
    residual: NDArray[Any],
    direction: NDArray[Any],
) -> Any:
    """One iteration, given A p; updates x, r and p in place and returns the new rᵀM⁻¹r."""
    # Step length α = rᵀM⁻¹r / pᵀAp.
    pAp = np.float32(0.0)
    for f in range(len(x)):
        pAp += direction[f] * Ap[f]
    alpha = rz / pAp
    # x ← x + α p, r ← r − α A p.
    new_rz = np.float32(0.0)
    for f in range(len(x)):
        x[f] += alpha * direction[f]
        residual[f] -= alpha * Ap[f]
        new_rz += residual[f] * residual[f] / preconditioner[f]
    # p ← M⁻¹r + β p with β = new rᵀM⁻¹r / old rᵀM⁻¹r.
    beta = new_rz / rz
    for f in range(len(x)):
        direction[f] = residual[f] / preconditioner[f] + beta * direction[f]
    return new_rz
