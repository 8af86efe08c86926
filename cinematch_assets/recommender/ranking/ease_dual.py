"""EASE without its cube of movies: the same scores from a matrix as wide as there are users.

Here: fitting and scoring when users are few. Not here: many users (``sparse``), which one is taken
(``ranker``).

EASE (Steck 2019) is ridge regression of each movie on all others: with X̃ the users' weights, each row times √w_u, and
L = diag(λ + p·Σ_u X̃²), P = (X̃ᵀX̃ + L)⁻¹ and B_ij = −P_ij / P_jj, B_jj = 0; p is the dropout of Steck (2020, EDLAE).
By the Woodbury identity P = L⁻¹ − L⁻¹X̃ᵀ A X̃L⁻¹ with A = (I + X̃L⁻¹X̃ᵀ)⁻¹, which is (users, users): scores need A and the
ratings themselves, nothing is left out and nothing of the size movies² is ever made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.data import Floats, Ids, Ratings
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights

CELLS_AT_ONCE = 16_000_000
"""Scores held at once: 64 MB of float32."""

if TYPE_CHECKING:
    from cinematch_assets.recommender.kernels.topn import Best, Exclusions


@dataclass(frozen=True, slots=True)
class DualEase:
    """``movies`` (M,) ascending; ``kernel`` is A, (U, U); ``ridge`` is diag L, ``inverse`` diag P, (M,)."""

    movies: Ids
    histories: UserHistories
    kernel: Floats
    row_scale: Floats  # (U,) √w_u
    ridge: Floats
    inverse: Floats

    name = "ease_dual"

    @property
    def users_at_once(self) -> int:
        """Users whose scores are held together."""
        return max(1, CELLS_AT_ONCE // max(1, len(self.movies)))

    def scores(self, history: sparse.csr_matrix) -> Floats:
        """Scores of all movies for weights (rows, M): (rows, M) float32."""
        with threadpool_limits(limits=1, user_api="blas"):
            scaled = history.multiply(1.0 / self.ridge[None, :]).tocsr().astype(np.float32)
            rows = self._rows()
            near = np.asarray((scaled @ rows.T).todense(), np.float32) @ self.kernel
            return self._from_kernel(history, near, rows)

    def best(self, history: sparse.csr_matrix, line: tuple[Floats, Floats], k: int, skipped: Exclusions) -> Best:
        """The best movies by a + b · score."""
        from cinematch_assets.recommender.kernels.topn import best_of_scores  # noqa: PLC0415  loads numba

        return best_of_scores(line[0] + line[1] * self.scores(history), k, skipped)

    def profile(self, users: Ids) -> sparse.csr_matrix:
        """The weights of known users; a stranger's row is empty."""
        return self.histories.rows_of(users, len(self.movies))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The model as named arrays."""
        own = {name: getattr(self, name) for name in ("movies", "kernel", "row_scale", "ridge", "inverse")}
        return own | self.histories.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> DualEase:
        """The inverse of ``arrays``."""
        return cls(
            histories=UserHistories.from_arrays(arrays),
            **{name: arrays[name] for name in ("movies", "kernel", "row_scale", "ridge", "inverse")},
        )

    def _rows(self) -> sparse.csr_matrix:
        """X̃, (U, M)."""
        return sparse.diags(self.row_scale).dot(self.histories.matrix(len(self.movies))).tocsr()

    def _from_kernel(self, history: sparse.csr_matrix, near: Floats, rows: sparse.csr_matrix) -> Floats:
        """X − X P diag(1/P_jj), whose diagonal term makes a movie count nothing for itself."""
        share = 1.0 / (self.ridge * self.inverse)
        out = np.ascontiguousarray(rows.T.tocsr().dot(near.T).T, np.float32)
        out *= share
        own = history.multiply(1.0 - share[None, :]).tocsr()
        at = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        out[at, own.indices] += own.data.astype(np.float32)
        return out


def fit_dual(train: Ratings, movies: Ids, *, ridge: float, dropout: float, user_exponent: float) -> DualEase:
    """Exact EASE for U users and M movies in O(U³ + Σ raters²) time and U² numbers."""
    from cinematch_assets.recommender.kernels.quadratic_form import quadratic_forms  # noqa: PLC0415  loads numba

    histories = UserHistories.of(train, movies)
    weights = histories.matrix(len(movies)).astype(np.float64)
    row_scale = np.sqrt(user_weights(weights, user_exponent).astype(np.float64))
    rows = sparse.diags(row_scale).dot(weights).tocsr()
    penalty = ridge + dropout * np.asarray(rows.multiply(rows).sum(axis=0)).ravel()
    halved = rows.multiply(1.0 / np.sqrt(penalty)[None, :]).tocsr()
    with threadpool_limits(limits=1, user_api="blas"):
        gram = np.asarray((halved @ halved.T).todense())
        gram[np.diag_indices_from(gram)] += 1.0
        kernel = linalg.inv(gram, overwrite_a=True, assume_a="pos")
    explained = quadratic_forms(halved.T.tocsr(), kernel)  # the diagonal of L^-½ X̃ᵀ A X̃ L^-½
    return DualEase(
        movies=movies,
        histories=histories,
        kernel=kernel.astype(np.float32),
        row_scale=row_scale.astype(np.float32),
        ridge=penalty.astype(np.float32),
        inverse=((1.0 - explained) / penalty).astype(np.float32),
    )
