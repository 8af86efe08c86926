"""A few tastes that many share: which movies people choose, by factors of users and movies.

Here: fitting and folding in. Not here: likeness movie by movie (``dual``, ``sparse``), how both become
one list (``blend``), stars by factors (``als``). Importing this module loads numba.

Implicit ALS (Hu, Koren & Volinsky 2008): p_u · q_i ≈ 1 where user u rated movie i, with confidence 1 + αw for a rating
of weight w, and ≈ 0 with confidence 1 everywhere else. With one side fixed, each row of the other solves
(QᵀQ + Σ αw q qᵀ + λ_n) p = Σ (1 + αw) q. A row's ridge grows with what is said of it (Rendle et al. 2022, eq. 6, with
the exponent ½): n ratings that say α, and N others on the other side that say 1, λ_n = λ (n + N / α)^½. A row's matrix
is never made: a few steps of conjugate gradient start from the row of the last sweep (Takács, Pilászy & Tikk 2011),
with the diagonal as preconditioner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.config import ImplicitAlsConfig
from cinematch_assets.recommender.data import Floats
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.conjugate_gradient import LEAST_GAIN, advance, begin
from cinematch_assets.recommender.kernels.topn import in_blocks

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class ImplicitFactors:
    """Factors of ``users`` (U, f) and ``movies`` (M, f), zeros without ratings; ``knobs`` (2,) are λ and α."""

    users: Floats
    movies: Floats
    knobs: Floats

    def fold_in(self, history: sparse.csr_matrix) -> Floats:
        """Factors (rows, f) of people known by these weights (rows, M) alone."""
        ridge, alpha = (float(knob) for knob in self.knobs)
        penalties = _penalties(history, ridge, alpha)
        movies = self.movies.astype(np.float64)
        shared = movies.T @ movies
        folded = np.zeros((history.shape[0], movies.shape[1]), np.float32)
        for row in np.flatnonzero(np.diff(history.indptr)):
            cells = slice(history.indptr[row], history.indptr[row + 1])
            rated, weights = movies[history.indices[cells]], alpha * history.data[cells].astype(np.float64)
            said = shared + (rated.T * weights) @ rated + penalties[row] * np.eye(movies.shape[1])
            folded[row] = np.linalg.solve(said, rated.T @ (1.0 + weights))
        return folded

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The factors as named arrays."""
        return {f"implicit_als.{name}": getattr(self, name) for name in ("users", "movies", "knobs")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ImplicitFactors:
        """The inverse of ``arrays``."""
        return cls(*(arrays[f"implicit_als.{name}"] for name in ("users", "movies", "knobs")))


def fit_implicit_als(history: sparse.csr_matrix, config: ImplicitAlsConfig, seed: int) -> ImplicitFactors:
    """Fit to weights (U, M) float32. The same weights and seed give the same bytes on any number of threads."""
    by_movie = history.T.tocsr()
    drawn = np.random.default_rng(seed).standard_normal((history.shape[1], config.factors), dtype=np.float32)
    movies = drawn * np.float32(0.1 / np.sqrt(config.factors))
    movies[np.diff(by_movie.indptr) == 0] = 0.0
    users = np.zeros((history.shape[0], config.factors), np.float32)
    _half_sweep(history, movies, users, config)
    for _ in range(config.sweeps):
        _half_sweep(by_movie, users, movies, config)
        _half_sweep(history, movies, users, config)
    return ImplicitFactors(users, movies, np.array([config.ridge, config.confidence], np.float32))


def _penalties(rows: sparse.csr_matrix, ridge: float, alpha: float) -> Floats:
    """λ_n of each row, (n,)."""
    return np.asarray(ridge * np.sqrt(np.diff(rows.indptr) + rows.shape[1] / alpha), np.float32)


def _half_sweep(rows: sparse.csr_matrix, fixed: Floats, solved: Floats, config: ImplicitAlsConfig) -> None:
    """Improve each row of ``solved`` in place; a row without ratings stays as it is."""
    with threadpool_limits(limits=1, user_api="blas"):
        shared = fixed.T @ fixed
    alpha: Any = np.float32(config.confidence)
    penalties = _penalties(rows, config.ridge, config.confidence)

    def block(start: int) -> None:
        some = slice(start, start + ROWS_AT_ONCE)
        cells = rows.indptr[start : start + ROWS_AT_ONCE + 1], rows.indices, rows.data
        _solve(cells, penalties[some], alpha, config.steps, (shared, fixed), solved[some])

    in_blocks(block, range(0, len(solved), ROWS_AT_ONCE))


@compiled
def _solve(  # pragma: no cover - compiled
    cells: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    penalties: NDArray[Any],
    alpha: float,
    steps: int,
    known: tuple[NDArray[Any], NDArray[Any]],
    solved: NDArray[Any],
) -> None:
    """Preconditioned conjugate gradient on the equations of each row of ``solved``, (n, f)."""
    starts, others, weights = cells
    shared, fixed = known
    size = solved.shape[1]
    left, step, image, scale = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    for row in range(len(solved)):
        mine = slice(starts[row], starts[row + 1])
        if mine.start == mine.stop:
            continue
        x = solved[row]
        _product(others[mine], weights[mine], alpha, penalties[row], known, x, image)
        for f in range(size):
            left[f] = -image[f]
            scale[f] = shared[f, f] + penalties[row]
        for at in range(mine.start, mine.stop):
            q, weight = fixed[others[at]], alpha * weights[at]
            for f in range(size):
                left[f] += (np.float32(1.0) + weight) * q[f]
                scale[f] += weight * q[f] * q[f]
        gain = begin(left, scale, step)
        for _ in range(steps):
            if gain < LEAST_GAIN:
                break
            _product(others[mine], weights[mine], alpha, penalties[row], known, step, image)
            gain = advance(gain, image, scale, x, left, step)


@compiled
def _product(  # pragma: no cover - compiled
    others: NDArray[Any],
    weights: NDArray[Any],
    alpha: float,
    penalty: float,
    known: tuple[NDArray[Any], NDArray[Any]],
    x: NDArray[Any],
    image: NDArray[Any],
) -> None:
    """Image = (QᵀQ + Σ αw q qᵀ + λ_n) x."""
    shared, fixed = known
    for f in range(len(x)):
        total = penalty * x[f]
        for g in range(len(x)):
            total += shared[f, g] * x[g]
        image[f] = total
    for at in range(len(others)):
        q = fixed[others[at]]
        product = np.float32(0.0)
        for f in range(len(x)):
            product += q[f] * x[f]
        product *= alpha * weights[at]
        for f in range(len(x)):
            image[f] += product * q[f]
