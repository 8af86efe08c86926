"""Implicit-feedback matrix factorization by ALS (Hu, Koren & Volinsky 2008).

Here: fitting and fold-in. Not here: EASE (``ranking.ease_dual``, ``ranking.ease_sparse``), how both become one ranking
(``ranking.rerank``), ALS on the ratings themselves (``rating_prediction.als``). Importing this module loads numba.

p_u · q_i ≈ 1 where user u rated movie i, with confidence 1 + αw for a rating of weight w, and ≈ 0 with confidence 1
everywhere else. With one side Y fixed, each row x of the other solves A x = b with A = YᵀY + Σ αw y yᵀ + λ_n I and
b = Σ (1 + αw) y, sums over the row's ratings. λ grows with the total confidence of a row (Rendle et al. 2022, eq. 6,
with the exponent ½): n ratings of confidence α, and N others on the other side of confidence 1, λ_n = λ (n + N / α)^½.
A is never formed: a few steps of conjugate gradient start from the row of the last sweep (Takács, Pilászy & Tikk 2011),
with the diagonal as preconditioner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.config import ImplicitAlsConfig
from cinematch_assets.recommender.data import Catalogue, Floats
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.conjugate_gradient import TOLERANCE, cg_start, cg_step
from cinematch_assets.recommender.kernels.parallel import one_blas_thread, run_blocks
from cinematch_assets.recommender.kernels.topn import Compressed
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.ranking.histories import UserHistories

BLOCK_ROWS = 256

_ARRAYS = ("users", "movies", "ridge_confidence")


@dataclass(frozen=True, slots=True)
class ImplicitFactors:
    """Factors of ``users`` (U, f) and ``movies`` (M, f), zeros without ratings; ``ridge_confidence`` is (λ, α)."""

    users: Floats
    movies: Floats
    ridge_confidence: Floats

    def fold_in(self, weights: sparse.csr_matrix) -> Floats:
        """Factors (rows, f) of users known by these rating weights (rows, M) alone; zeros without ratings."""
        ridge, alpha = (float(value) for value in self.ridge_confidence)
        penalties = _penalties(weights, ridge, alpha)
        movies = self.movies.astype(np.float64)
        YtY = movies.T @ movies
        folded = np.zeros((weights.shape[0], movies.shape[1]), np.float32)
        for row in np.flatnonzero(np.diff(weights.indptr)):
            cells = slice(weights.indptr[row], weights.indptr[row + 1])
            rated, confidence = movies[weights.indices[cells]], alpha * weights.data[cells].astype(np.float64)
            normal = YtY + (rated.T * confidence) @ rated + penalties[row] * np.eye(movies.shape[1])
            folded[row] = np.linalg.solve(normal, rated.T @ (1.0 + confidence))
        return folded

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The factors as named arrays."""
        return {f"implicit_als.{name}": getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ImplicitFactors:
        """The inverse of ``arrays``."""
        return cls(**{name: arrays[f"implicit_als.{name}"] for name in _ARRAYS})


def fit_implicit_als(
    train: UserHistories,
    catalogue: Catalogue,  # noqa: ARG001  the signature of every trainer
    config: ImplicitAlsConfig,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> ImplicitFactors:
    """Fit to the rating weights. The same histories and seed give the same bytes on any number of threads."""
    by_user = train.weights()
    by_movie = by_user.T.tocsr()
    drawn = rng.standard_normal((by_user.shape[1], config.factors), dtype=np.float32)
    movies = drawn * np.float32(0.1 / np.sqrt(config.factors))
    movies[np.diff(by_movie.indptr) == 0] = 0.0
    users = np.zeros((by_user.shape[0], config.factors), np.float32)
    _half_sweep(by_user, movies, users, config)
    for sweep in range(config.sweeps):
        progress("implicit ALS", sweep / config.sweeps)
        _half_sweep(by_movie, users, movies, config)
        _half_sweep(by_user, movies, users, config)
    progress("implicit ALS", 1.0)
    return ImplicitFactors(users, movies, np.array([config.ridge, config.confidence], np.float32))


def _penalties(rows: sparse.csr_matrix, ridge: float, alpha: float) -> Floats:
    """λ_n of each row, (n,)."""
    return np.asarray(ridge * np.sqrt(np.diff(rows.indptr) + rows.shape[1] / alpha), np.float32)


def _half_sweep(rows: sparse.csr_matrix, fixed: Floats, solved: Floats, config: ImplicitAlsConfig) -> None:
    """Improve each row of ``solved`` in place, with the other side ``fixed``; a row without ratings stays as it is."""
    with one_blas_thread():
        YtY = fixed.T @ fixed
    alpha: Any = np.float32(config.confidence)
    penalties = _penalties(rows, config.ridge, config.confidence)

    def solve_from(start: int) -> None:
        block = slice(start, start + BLOCK_ROWS)
        cells = rows.indptr[start : start + BLOCK_ROWS + 1], rows.indices, rows.data
        _solve(cells, penalties[block], alpha, config.steps, (YtY, fixed), solved[block])

    run_blocks(solve_from, range(0, len(solved), BLOCK_ROWS))


@compiled
def _solve(  # pragma: no cover - compiled
    cells: Compressed,
    penalties: NDArray[Any],
    alpha: float,
    steps: int,
    other_side: tuple[NDArray[Any], NDArray[Any]],
    solved: NDArray[Any],
) -> None:
    """``steps`` of preconditioned conjugate gradient on A x = b for each row x of ``solved``, (n, f)."""
    starts, columns, weights = cells
    YtY, Y = other_side
    size = solved.shape[1]
    residual, direction, Ap, preconditioner = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    for row in range(len(solved)):
        rated = slice(starts[row], starts[row + 1])
        if rated.start == rated.stop:
            continue
        x = solved[row]
        # Residual r = b − A x and preconditioner diag A; first their parts without a sum over ratings ...
        _product(columns[rated], weights[rated], alpha, penalties[row], other_side, x, Ap)
        for f in range(size):
            residual[f] = -Ap[f]
            preconditioner[f] = YtY[f, f] + penalties[row]
        # ... then b = Σ (1 + αw) y and the diagonal of Σ αw y yᵀ.
        for entry in range(rated.start, rated.stop):
            y, confidence = Y[columns[entry]], alpha * weights[entry]
            for f in range(size):
                residual[f] += (np.float32(1.0) + confidence) * y[f]
                preconditioner[f] += confidence * y[f] * y[f]
        rz = cg_start(residual, preconditioner, direction)
        for _ in range(steps):
            if rz < TOLERANCE:
                break
            _product(columns[rated], weights[rated], alpha, penalties[row], other_side, direction, Ap)
            rz = cg_step(rz, Ap, preconditioner, x, residual, direction)


@compiled
def _product(  # pragma: no cover - compiled
    columns: NDArray[Any],
    weights: NDArray[Any],
    alpha: float,
    penalty: float,
    other_side: tuple[NDArray[Any], NDArray[Any]],
    p: NDArray[Any],
    Ap: NDArray[Any],
) -> None:
    """Ap = (YᵀY + Σ αw y yᵀ + λ_n I) p, over the ratings of one row."""
    YtY, Y = other_side
    # (YᵀY + λ_n I) p.
    for f in range(len(p)):
        total = penalty * p[f]
        for g in range(len(p)):
            total += YtY[f, g] * p[g]
        Ap[f] = total
    # Σ αw (y · p) y.
    for entry in range(len(columns)):
        y = Y[columns[entry]]
        product = np.float32(0.0)
        for f in range(len(p)):
            product += y[f] * p[f]
        product *= alpha * weights[entry]
        for f in range(len(p)):
            Ap[f] += product * y[f]
