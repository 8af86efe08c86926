"""EASE for many films: exact among those often rated, by neighbours for the rest, stored as a sparse matrix.

Here: fitting and scoring when users are many. Not here: few users (``ranking_dual``, whose formulas and symbols are
these), which one is taken (``ranking``). Importing this module loads numba.

The inverse costs movies³, so it is taken over the ``dense_films`` most rated films only. A film j outside regresses on
its nearest of those alone: b = (G_NN + L_N)⁻¹ G_Nj, N the films of highest cosine with j; by the inverse of a bordered
matrix P_jj = 1 / (G_jj + L_j − bᵀG_Nj), which gives B_ij = b_i for the way in and B_ji = b_i P_jj / P_ii for the way
out. Of each column the ``kept`` entries that move scores most are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.compiled import compiled_in_order
from cinematch_assets.recommender.data import Floats, Ids, Ratings
from cinematch_assets.recommender.ranking_profiles import Profiles, Rows, user_weights
from cinematch_assets.recommender.topn import NONE, Best, Compressed, Exclusions, best_of_products, in_blocks, put

FILMS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class SparseEase:
    """``films`` (M,) ascending; ``cells`` is B, CSR (M, M), from rated film to scored film; ``inverse`` ~ diag P."""

    films: Ids
    profiles: Profiles
    cells: sparse.csr_matrix
    inverse: Floats

    name = "ease_sparse"
    users_at_once = 16_384  # only their lists are held

    def scores(self, history: sparse.csr_matrix) -> Floats:
        """Scores of all films for weights (rows, M): (rows, M) float32."""
        return np.asarray((history @ self.cells).todense(), np.float32)

    def best(
        self,
        history: sparse.csr_matrix,
        line: tuple[Floats, Floats],
        columns: Rows | None,
        k: int,
        left_out: Exclusions,
    ) -> Best:
        """The best of ``columns`` (None: all films) by a + b · score; no row of scores outlives its list."""
        if columns is None:
            return best_of_products(history, self.cells, line, k, left_out)
        return best_of_products(history, self.cells[:, columns], (line[0][columns], line[1][columns]), k, left_out)

    def profile(self, users: Ids) -> sparse.csr_matrix:
        """The weights of known users; a stranger's row is empty."""
        return self.profiles.rows_of(users, len(self.films))

    def relatedness(self, film: int) -> Floats:
        """Partial correlation of one film with all, −P_ij / √(P_ii P_jj) = B_ij √(P_jj / P_ii), (M,)."""
        row = self.cells[film].toarray().ravel()
        return np.asarray(row * np.sqrt(self.inverse / self.inverse[film]), np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The model as named arrays."""
        width = np.uint16 if len(self.films) <= np.iinfo(np.uint16).max else np.int32
        return {
            "films": self.films,
            "inverse": self.inverse,
            "cell_starts": self.cells.indptr.astype(np.int64),
            "cell_columns": self.cells.indices.astype(width),
            "cell_values": self.cells.data,
        } | self.profiles.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SparseEase:
        """The inverse of ``arrays``."""
        width = len(arrays["films"])
        cells = sparse.csr_matrix(
            (arrays["cell_values"], arrays["cell_columns"].astype(np.int32), arrays["cell_starts"].astype(np.int32)),
            shape=(width, width),
        )
        return cls(arrays["films"], Profiles.from_arrays(arrays), cells, arrays["inverse"])


def fit_sparse(
    train: Ratings,
    films: Ids,
    *,
    ridge: float,
    dropout: float,
    user_exponent: float,
    dense_films: int,
    neighbours: int,
    kept: int,
) -> SparseEase:
    """EASE over the ``dense_films`` most rated films, ridge over ``neighbours`` of them for the others."""
    profiles = Profiles.of(train, films)
    rows = profiles.matrix(len(films))
    rows.data *= np.repeat(np.sqrt(user_weights(rows, user_exponent)), np.diff(rows.indptr))
    columns = rows.tocsc()
    counts = np.diff(columns.indptr)
    dense = np.sort(np.lexsort((films, -counts))[: min(dense_films, int((counts > 0).sum()))])
    squares = np.asarray(np.bincount(rows.indices, np.square(rows.data), minlength=len(films)), np.float64)
    penalty = (ridge + dropout * squares).astype(np.float32)

    gram = _gram(rows, dense)
    gram[np.diag_indices_from(gram)] += penalty[dense]
    tail = np.setdiff1d(np.flatnonzero(counts > 0), dense).astype(np.int64)
    edges, edge_weights, tail_inverse = _tail(rows, columns, dense, tail, gram, penalty, neighbours)
    inverse = (1.0 / penalty.astype(np.float64)).astype(np.float32)
    inverse_block = _inverse(gram)
    inverse[dense] = np.diag(inverse_block)
    inverse[tail] = tail_inverse
    cells = _dense_cells(inverse_block, dense, squares[dense], kept, len(films)) + _tail_cells(
        edges, edge_weights, dense, tail, inverse, len(films)
    )
    cells.sort_indices()
    return SparseEase(films, profiles, cells, inverse)


def _gram(rows: sparse.csr_matrix, dense: NDArray[np.int64]) -> Floats:
    """X̃ᵀX̃ over the dense films, (D, D) float32."""
    inner = rows[:, dense]
    inner.sort_indices()
    order = np.argsort(inner.indices, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(inner.indices, minlength=len(dense)))]).astype(np.int64)
    ends = np.repeat(inner.indptr[1:], np.diff(inner.indptr)).astype(np.int32)
    gram = np.zeros((len(dense), len(dense)), np.float32)

    def block(start: int) -> None:
        stop = min(start + FILMS_AT_ONCE, len(dense))
        _upper((starts[start : stop + 1], order, ends), inner.indices, inner.data, gram[start:stop])

    in_blocks(block, range(0, len(dense), FILMS_AT_ONCE))
    _mirror(gram)
    return gram


def _inverse(gram: Floats) -> Floats:
    """The inverse of a positive definite matrix, which it overwrites."""
    with threadpool_limits(limits=1, user_api="blas"):
        factor, failed = linalg.lapack.spotrf(gram.T, lower=1, overwrite_a=1)
        inverse, failed_too = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise linalg.LinAlgError(f"the films' co-ratings cannot be inverted (LAPACK {failed}, {failed_too})")
    _mirror(inverse.T)
    return np.asarray(inverse.T)


def _dense_cells(
    inverse: Floats, dense: NDArray[np.int64], squares: NDArray[np.float64], kept: int, width: int
) -> sparse.csr_matrix:
    """B_ij = −P_ij / P_jj; of each column j the ``kept`` largest |B_ij|·√G_ii, which is what they add to scores."""
    keep = min(kept, len(dense) - 1)
    reach = np.sqrt(squares).astype(np.float32)
    source = np.empty((len(dense), keep), np.int64)
    values = np.empty((len(dense), keep), np.float32)
    for column in range(len(dense)):
        impact = np.abs(inverse[column]) * reach
        impact[column] = -1.0
        rows = np.sort(np.argpartition(-impact, keep - 1)[:keep]) if keep else np.zeros(0, np.int64)
        source[column] = rows
        values[column] = -inverse[column, rows] / inverse[column, column]
    target = np.repeat(dense, keep)
    return sparse.csr_matrix((values.ravel(), (dense[source.ravel()], target)), shape=(width, width))


def _tail(
    rows: sparse.csr_matrix,
    columns: sparse.csc_matrix,
    dense: NDArray[np.int64],
    tail: NDArray[np.int64],
    gram: Floats,
    penalty: Floats,
    neighbours: int,
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Neighbours (T, n) as places among the dense films, −1 for none, their b (T, n), and P_jj (T,)."""
    place = np.full(rows.shape[1], -1, np.int32)
    place[dense] = np.arange(len(dense), dtype=np.int32)
    n = min(neighbours, len(dense))
    edges = np.full((len(tail), n), -1, np.int32)
    weights = np.zeros((len(tail), n), np.float32)
    inverse = np.zeros(len(tail), np.float32)
    reach = np.sqrt(np.diag(gram))

    def block(start: int) -> None:
        stop = min(start + FILMS_AT_ONCE, len(tail))
        _regress(
            (rows.indptr, rows.indices, rows.data),
            (columns.indptr, columns.indices, columns.data),
            place,
            tail[start:stop],
            (gram, reach, penalty),
            (edges[start:stop], weights[start:stop], inverse[start:stop]),
        )

    in_blocks(block, range(0, len(tail), FILMS_AT_ONCE))
    return edges, weights, inverse


def _tail_cells(
    edges: NDArray[np.int32],
    weights: Floats,
    dense: NDArray[np.int64],
    tail: NDArray[np.int64],
    inverse: Floats,
    width: int,
) -> sparse.csr_matrix:
    """Both ways between tail films and their neighbours, (M, M)."""
    known = edges >= 0
    near, far = dense[edges[known]], np.broadcast_to(tail[:, None], edges.shape)[known]
    inward = weights[known]
    outward = inward * inverse[far] / inverse[near]
    return sparse.csr_matrix(
        (np.concatenate([inward, outward]), (np.concatenate([near, far]), np.concatenate([far, near]))),
        shape=(width, width),
    )


@compiled_in_order
def _upper(  # pragma: no cover - compiled
    cells: Compressed, columns: NDArray[Any], weights: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i, j] = Σ over the raters of film i of both weights, j ≥ i; ``cells`` are a film's, and where rows end."""
    starts, order, ends = cells
    for i in range(len(starts) - 1):
        for at in range(starts[i], starts[i + 1]):
            first = order[at]
            for cell in range(first, ends[first]):
                out[i, columns[cell]] += weights[first] * weights[cell]


@compiled_in_order
def _products(  # pragma: no cover - compiled
    rows: Compressed, columns: Compressed, place: NDArray[Any], films: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i] = Σ over the raters of films[i] of their rows times their weight for it; out is (films, D), zeros."""
    r_starts, r_columns, r_weights = rows
    c_starts, c_rows, c_weights = columns
    for i in range(len(films)):
        for at in range(c_starts[films[i]], c_starts[films[i] + 1]):
            user, weight = c_rows[at], c_weights[at]
            for cell in range(r_starts[user], r_starts[user + 1]):
                to = place[r_columns[cell]]
                if to >= 0:
                    out[i, to] += weight * r_weights[cell]


@compiled_in_order
def _regress(  # pragma: no cover - compiled
    rows: Compressed,
    columns: Compressed,
    place: NDArray[Any],
    films: NDArray[Any],
    known: Compressed,
    found: Compressed,
) -> None:
    """Ridge of each film on the dense ones of highest cosine with it."""
    gram, reach, penalty = known
    edges, weights, inverse = found
    joint = np.zeros((1, len(reach)), np.float32)
    near = np.empty(edges.shape[1], np.int32)
    nearest = np.empty(edges.shape[1], np.float32)
    for i in range(len(films)):
        joint[:] = 0.0
        _products(rows, columns, place, films[i : i + 1], joint)
        cosine = joint[0] / reach
        near[:] = NONE
        nearest[:] = 0.0
        for film in range(len(reach)):
            if cosine[film] > nearest[-1]:
                put(near, nearest, film, cosine[film])
        count = int(np.sum(near >= 0))
        own = penalty[films[i]]
        for at in range(columns[0][films[i]], columns[0][films[i] + 1]):
            own += columns[2][at] ** 2
        if count > 0:
            chosen = np.sort(near[:count])
            local = np.empty((count, count), np.float64)
            right = np.empty(count, np.float64)
            for a in range(count):
                right[a] = joint[0, chosen[a]]
                for b in range(count):
                    local[a, b] = gram[chosen[a], chosen[b]]
            solved = np.linalg.solve(local, right)
            own -= np.dot(solved, right)
            edges[i, :count] = chosen
            weights[i, :count] = solved
        inverse[i] = 1.0 / own


@compiled_in_order
def _mirror(matrix: NDArray[Any]) -> None:  # pragma: no cover - compiled
    """Copy the upper triangle of a C-ordered matrix onto the lower."""
    for row in range(len(matrix)):
        for column in range(row):
            matrix[row, column] = matrix[column, row]
