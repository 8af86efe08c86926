"""EASE^R in dual form: exact scores from a users × users inverse.

Here: fitting and scoring for few users. Not here: many users (``ranking.ease_sparse``), the choice between the two
(``ranking.ranker``).

EASE (Steck 2019) is ridge regression of each movie on all others: with X̃ the users' weights, each row times √w_u, and
L = diag(λ + p·Σ_u X̃²), P = (X̃ᵀX̃ + L)⁻¹ and B_ij = −P_ij / P_jj, B_jj = 0; p is the dropout of Steck (2020, EDLAE).
By the Woodbury identity P = L⁻¹ − L⁻¹X̃ᵀ A X̃L⁻¹ with A = (I + X̃L⁻¹X̃ᵀ)⁻¹, which is (users, users): scores need A and the
ratings themselves. Nothing is approximated, and no matrix of movies × movies is ever made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ids
from cinematch_assets.recommender.kernels.parallel import one_blas_thread
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights

if TYPE_CHECKING:
    from cinematch_assets.recommender.kernels.topn import Best, Exclusions
    from cinematch_assets.recommender.ranking.reasons import Contributions

BLOCK_SCORES = 16_000_000
"""Scores held at once: 64 MB of float32."""

_ARRAYS = ("dual_inverse", "row_scale", "penalty", "inverse_diagonal")


@dataclass(frozen=True, slots=True)
class DualEase:
    """EASE over the M movies of ``histories`` (of U users), by their dual inverse."""

    histories: UserHistories
    dual_inverse: Floats  # (U, U) A
    row_scale: Floats  # (U,) √w_u
    penalty: Floats  # (M,) diag L
    inverse_diagonal: Floats  # (M,) diag P

    name = "ease_dual"

    @property
    def block_users(self) -> int:
        """Users whose scores are held at once."""
        return max(1, BLOCK_SCORES // max(1, len(self.histories.movies)))

    def scores(self, weights: sparse.csr_matrix) -> Floats:
        """Scores X B, (rows, M) float32, for rating weights X (rows, M)."""
        with one_blas_thread():
            scaled = weights.multiply(1.0 / self.penalty[None, :]).tocsr().astype(np.float32)
            train = sparse.diags(self.row_scale).dot(self.histories.weights()).tocsr()
            dual = np.asarray((scaled @ train.T).todense(), np.float32) @ self.dual_inverse
            return self._scores_from_dual(weights, dual, train)

    def best(
        self, weights: sparse.csr_matrix, scale_shift: tuple[Floats, Floats], k: int, excluded: Exclusions
    ) -> Best:
        """The ``k`` best movies of each row by scale · score + shift, (M,) each, without excluded ones."""
        from cinematch_assets.recommender.kernels.topn import best_of_scores  # noqa: PLC0415  loads numba

        scale, shift = scale_shift
        return best_of_scores(shift + scale * self.scores(weights), k, excluded)

    def contributions(self, weights: sparse.csr_matrix, listed: Ids) -> Contributions:
        """What contributes most to the scores of ``listed`` movies (rows, k), empty slots −1, of the rows of X.

        B_ij = x̃_iᵀ A x̃_j / (L_i L_j P_jj), for x̃_i the column of movie i in X̃.
        """
        from cinematch_assets.recommender.ranking.dual_reasons import dual_contributions  # noqa: PLC0415  loads numba

        by_movie = self.histories.weights().tocsc()
        train = by_movie.indptr, by_movie.indices, self.row_scale[by_movie.indices] * by_movie.data
        scales = 1.0 / self.penalty, 1.0 / (self.penalty * self.inverse_diagonal)
        return dual_contributions(weights, listed, train, self.dual_inverse, scales)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The model as named arrays."""
        return {name: getattr(self, name) for name in _ARRAYS} | self.histories.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> DualEase:
        """The inverse of ``arrays``."""
        return cls(UserHistories.from_arrays(arrays), **{name: arrays[name] for name in _ARRAYS})

    def _scores_from_dual(self, weights: sparse.csr_matrix, dual: Floats, train: sparse.csr_matrix) -> Floats:
        """X B = X − X P diag(1/P_jj) with X P = X L⁻¹ − D X̃ L⁻¹ for ``dual`` D = X L⁻¹ X̃ᵀ A.

        The terms in X are zero where nothing was rated, and add up so that a movie has no weight for itself.
        """
        share = 1.0 / (self.penalty * self.inverse_diagonal)
        out = np.ascontiguousarray(train.T.tocsr().dot(dual.T).T, np.float32)
        out *= share
        own = weights.multiply(1.0 - share[None, :]).tocsr()
        rows = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        out[rows, own.indices] += own.data.astype(np.float32)
        return out


def fit_ease_dual(
    train: UserHistories,
    catalogue: Catalogue,  # noqa: ARG001  the signature of every trainer
    config: RankingConfig,
    rng: np.random.Generator,  # noqa: ARG001
    progress: Progress = no_progress,
) -> DualEase:
    """Fit exact EASE for U users and M movies, in O(U³ + Σ raters²) time and U² numbers."""
    from cinematch_assets.recommender.kernels.quadratic_form import quadratic_forms  # noqa: PLC0415  loads numba

    progress("EASE", 0.0)
    weights = train.weights().astype(np.float64)
    row_scale = np.sqrt(user_weights(weights, config.user_exponent).astype(np.float64))
    rows = sparse.diags(row_scale).dot(weights).tocsr()
    penalty = config.ridge + config.dropout * np.asarray(rows.multiply(rows).sum(axis=0)).ravel()
    scaled = rows.multiply(1.0 / np.sqrt(penalty)[None, :]).tocsr()  # X̃ L^-½
    with one_blas_thread():
        dual_gram = np.asarray((scaled @ scaled.T).todense())
        dual_gram[np.diag_indices_from(dual_gram)] += 1.0
        dual_inverse = linalg.inv(dual_gram, overwrite_a=True, assume_a="pos")
    explained = quadratic_forms(scaled.T.tocsr(), dual_inverse)  # the diagonal of L^-½ X̃ᵀ A X̃ L^-½
    progress("EASE", 1.0)
    return DualEase(
        histories=train,
        dual_inverse=dual_inverse.astype(np.float32),
        row_scale=row_scale.astype(np.float32),
        penalty=penalty.astype(np.float32),
        inverse_diagonal=((1.0 - explained) / penalty).astype(np.float32),
    )
