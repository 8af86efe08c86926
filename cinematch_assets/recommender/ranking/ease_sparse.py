"""EASE for many movies: exact among those often rated, by neighbours for the rest.

Here: fitting and scoring when users are many. Not here: few users (``dual``, whose formulas and symbols are
these), which one is taken (``ranker``). Importing this module loads numba.

The inverse costs movies³, so it is taken over the core alone, the ``head_items`` most rated movies. A movie j outside
regresses on its nearest of those: b = (G_NN + L_N)⁻¹ G_Nj, N the movies of highest cosine with j; by the inverse of a
bordered matrix P_jj = 1 / (G_jj + L_j − bᵀG_Nj), which gives B_ij = b_i for the way in and B_ji = b_i P_jj / P_ii for
the way out. Of each such movie the ``kept`` largest b_i are stored; the rest are small, and mostly of movies that
everyone rated, so that they would cost the most time for the least (docs/decisions/0060).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.data import Floats, Ids, Ratings
from cinematch_assets.recommender.kernels.bfloat16 import from_bfloat16, to_bfloat16
from cinematch_assets.recommender.kernels.compiled import compiled_in_order
from cinematch_assets.recommender.kernels.parallel import run_blocks
from cinematch_assets.recommender.kernels.topn import (
    NO_COLUMN,
    Best,
    Compressed,
    Exclusions,
    insert_score,
    merge_scores,
)
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights

BLOCK_ITEMS = 64
USERS_AT_ONCE = 256
COLUMNS_AT_ONCE = 1024
"""Cells of a core movie's row that are read at once: those of all core movies stay in the cache from user to user."""


@dataclass(frozen=True, slots=True)
class SparseEase:
    """B from rated movie to scored movie, over ``movies`` (M,) ascending.

    ``core`` (D,) are the columns of the core; ``core_cells`` (D, D) is B among them, the bits of bfloat16. ``border``
    is the rest of B, CSR (M, M).
    """

    movies: Ids
    histories: UserHistories
    core: Ids
    core_cells: NDArray[np.uint16]
    border: sparse.csr_matrix

    name = "ease_sparse"
    users_at_once = 16_384  # only their lists are held

    def scores(self, history: sparse.csr_matrix) -> Floats:
        """Scores of all movies for weights (rows, M): (rows, M) float32."""
        out = np.empty(history.shape, np.float32)

        def rows_from(start: int) -> None:
            some = slice(start, start + USERS_AT_ONCE)
            block, sums = self._core_sums(history[some])
            _score(block, sums, self.core, self._border(), out[some])

        run_blocks(rows_from, range(0, history.shape[0], USERS_AT_ONCE))
        return out

    def best(self, history: sparse.csr_matrix, line: tuple[Floats, Floats], k: int, skipped: Exclusions) -> Best:
        """The best movies by a + b · score; a thread holds one row of scores, and those of the core for a block."""
        best = Best.unfilled(history.shape[0], min(k, len(self.movies)))

        def rows_from(start: int) -> None:
            some = slice(start, start + USERS_AT_ONCE)
            block, sums = self._core_sums(history[some])
            starts = skipped.starts[start : start + len(sums) + 1]
            lists = best.columns[some], best.scores[some]
            _list(block, sums, self.core, self._border(), line, (starts, skipped.columns), lists)

        run_blocks(rows_from, range(0, history.shape[0], USERS_AT_ONCE))
        return best

    def profile(self, users: Ids) -> sparse.csr_matrix:
        """The weights of known users; a stranger's row is empty."""
        return self.histories.rows_of(users, len(self.movies))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The model as named arrays."""
        width = np.uint16 if len(self.movies) <= np.iinfo(np.uint16).max else np.int32
        return {
            "movies": self.movies,
            "core": self.core,
            "core_cells": self.core_cells,
            "border_starts": self.border.indptr.astype(np.int64),
            "border_columns": self.border.indices.astype(width),
            "border_values": self.border.data,
        } | self.histories.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SparseEase:
        """The inverse of ``arrays``."""
        width = len(arrays["movies"])
        starts, columns = arrays["border_starts"].astype(np.int32), arrays["border_columns"].astype(np.int32)
        return cls(
            movies=arrays["movies"],
            histories=UserHistories.from_arrays(arrays),
            core=arrays["core"],
            core_cells=arrays["core_cells"],
            border=sparse.csr_matrix((arrays["border_values"], columns, starts), shape=(width, width)),
        )

    def _core_sums(self, history: sparse.csr_matrix) -> tuple[Compressed, Floats]:
        """The block as bare arrays, and its scores of the core's movies from the core's movies, (rows, D)."""
        block = history.indptr, history.indices, history.data
        place = np.full(len(self.movies), NO_COLUMN, np.int32)
        place[self.core] = np.arange(len(self.core), dtype=np.int32)
        sums = np.empty((history.shape[0], len(self.core)), np.float32)
        _add_core(block, place, self.core_cells, sums)
        return block, sums

    def _border(self) -> Compressed:
        return self.border.indptr, self.border.indices, self.border.data


def fit_sparse(
    train: Ratings,
    movies: Ids,
    *,
    ridge: float,
    dropout: float,
    user_exponent: float,
    head_items: int,
    neighbours: int,
    kept: int,
) -> SparseEase:
    """EASE over the ``head_items`` most rated movies, ridge over ``neighbours`` of them for the others."""
    histories = UserHistories.of(train, movies)
    rows = histories.matrix(len(movies))
    rows.data *= np.repeat(np.sqrt(user_weights(rows, user_exponent)), np.diff(rows.indptr))
    columns = rows.tocsc()
    counts = np.diff(columns.indptr)
    core = np.sort(np.lexsort((movies, -counts))[: min(head_items, int((counts > 0).sum()))])
    squares = np.asarray(np.bincount(rows.indices, np.square(rows.data), minlength=len(movies)), np.float64)
    penalty = (ridge + dropout * squares).astype(np.float32)

    gram = _gram(rows, core)
    gram[np.diag_indices_from(gram)] += penalty[core]
    tail = np.setdiff1d(np.flatnonzero(counts > 0), core).astype(np.int64)
    edges, edge_weights, tail_inverse = _tail(rows, columns, core, tail, gram, penalty, neighbours)
    inverse = (1.0 / penalty.astype(np.float64)).astype(np.float32)
    core_inverse = _inverse(gram)
    inverse[core] = np.diag(core_inverse)
    inverse[tail] = tail_inverse
    border = _border_cells(_largest(edges, edge_weights, kept), edge_weights, core, tail, inverse)
    return SparseEase(movies, histories, core.astype(np.int32), _core_cells(core_inverse), border)


def _gram(rows: sparse.csr_matrix, core: NDArray[np.int64]) -> Floats:
    """X̃ᵀX̃ over the core, (D, D) float32."""
    inner = rows[:, core]
    inner.sort_indices()
    order = np.argsort(inner.indices, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(inner.indices, minlength=len(core)))]).astype(np.int64)
    ends = np.repeat(inner.indptr[1:], np.diff(inner.indptr)).astype(np.int32)
    gram = np.zeros((len(core), len(core)), np.float32)

    def block(start: int) -> None:
        stop = min(start + BLOCK_ITEMS, len(core))
        _upper((starts[start : stop + 1], order, ends), inner.indices, inner.data, gram[start:stop])

    run_blocks(block, range(0, len(core), BLOCK_ITEMS))
    _mirror(gram)
    return gram


def _inverse(gram: Floats) -> Floats:
    """The inverse of a positive definite matrix, which it overwrites."""
    with threadpool_limits(limits=1, user_api="blas"):
        factor, failed = linalg.lapack.spotrf(gram.T, lower=1, overwrite_a=1)
        inverse, failed_too = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise linalg.LinAlgError(f"the movies' co-ratings cannot be inverted (LAPACK {failed}, {failed_too})")
    _mirror(inverse.T)
    return np.asarray(inverse.T)


def _core_cells(inverse: Floats) -> NDArray[np.uint16]:
    """B_ij = −P_ij / P_jj with an empty diagonal, the bits of bfloat16."""
    scale = -1.0 / np.diag(inverse)
    cells = np.empty(inverse.shape, np.uint16)
    for row in range(len(inverse)):
        values = inverse[row] * scale
        values[row] = 0.0
        cells[row] = to_bfloat16(values)
    return cells


def _tail(
    rows: sparse.csr_matrix,
    columns: sparse.csc_matrix,
    core: NDArray[np.int64],
    tail: NDArray[np.int64],
    gram: Floats,
    penalty: Floats,
    neighbours: int,
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Neighbours (T, n) as places in the core, −1 for none, their b (T, n), and P_jj (T,)."""
    place = np.full(rows.shape[1], NO_COLUMN, np.int32)
    place[core] = np.arange(len(core), dtype=np.int32)
    n = min(neighbours, len(core))
    edges = np.full((len(tail), n), NO_COLUMN, np.int32)
    weights = np.zeros((len(tail), n), np.float32)
    inverse = np.zeros(len(tail), np.float32)
    reach = np.sqrt(np.diag(gram))

    def block(start: int) -> None:
        stop = min(start + BLOCK_ITEMS, len(tail))
        _regress(
            (rows.indptr, rows.indices, rows.data),
            (columns.indptr, columns.indices, columns.data),
            place,
            tail[start:stop],
            (gram, reach, penalty),
            (edges[start:stop], weights[start:stop], inverse[start:stop]),
        )

    run_blocks(block, range(0, len(tail), BLOCK_ITEMS))
    return edges, weights, inverse


def _largest(edges: NDArray[np.int32], weights: Floats, kept: int) -> NDArray[np.int32]:
    """``edges`` (T, n) with all but the ``kept`` of largest |b| in each row taken out; of equals the first stay."""
    order = np.argsort(-np.abs(weights), axis=1, kind="stable")
    out = edges.copy()
    np.put_along_axis(out, order[:, kept:], NO_COLUMN, axis=1)
    return out


def _border_cells(
    edges: NDArray[np.int32],
    weights: Floats,
    core: NDArray[np.int64],
    tail: NDArray[np.int64],
    inverse: Floats,
) -> sparse.csr_matrix:
    """Both ways between the tail's movies and their neighbours, (M, M)."""
    known = edges >= 0
    near, far = core[edges[known]], np.broadcast_to(tail[:, None], edges.shape)[known]
    inward = weights[known]
    outward = inward * inverse[far] / inverse[near]
    cells = sparse.csr_matrix(
        (np.concatenate([inward, outward]), (np.concatenate([near, far]), np.concatenate([far, near]))),
        shape=(len(inverse), len(inverse)),
    )
    cells.sort_indices()
    return cells


@compiled_in_order
def _upper(  # pragma: no cover - compiled
    cells: Compressed, columns: NDArray[Any], weights: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i, j] = Σ over the raters of movie i of both weights, j ≥ i; ``cells`` are a movie's, and where rows end."""
    starts, order, ends = cells
    for i in range(len(starts) - 1):
        for at in range(starts[i], starts[i + 1]):
            first = order[at]
            for cell in range(first, ends[first]):
                out[i, columns[cell]] += weights[first] * weights[cell]


@compiled_in_order
def _products(  # pragma: no cover - compiled
    rows: Compressed, columns: Compressed, place: NDArray[Any], movies: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i] = Σ over the raters of movies[i] of their rows times their weight for it; out is (movies, D), zeros."""
    r_starts, r_columns, r_weights = rows
    c_starts, c_rows, c_weights = columns
    for i in range(len(movies)):
        for at in range(c_starts[movies[i]], c_starts[movies[i] + 1]):
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
    movies: NDArray[Any],
    known: Compressed,
    found: Compressed,
) -> None:
    """Ridge of each movie on the core's movies of highest cosine with it."""
    gram, reach, penalty = known
    edges, weights, inverse = found
    joint = np.zeros((1, len(reach)), np.float32)
    near = np.empty(edges.shape[1], np.int32)
    nearest = np.empty(edges.shape[1], np.float32)
    for i in range(len(movies)):
        joint[:] = 0.0
        _products(rows, columns, place, movies[i : i + 1], joint)
        cosine = joint[0] / reach
        near[:] = NO_COLUMN
        nearest[:] = 0.0
        for movie in range(len(reach)):
            if cosine[movie] > nearest[-1]:
                insert_score(near, nearest, movie, cosine[movie])
        count = int(np.sum(near >= 0))
        own = penalty[movies[i]]
        for at in range(columns[0][movies[i]], columns[0][movies[i] + 1]):
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


@compiled_in_order
def _add_core(  # pragma: no cover - compiled
    history: Compressed, place: NDArray[Any], cells: NDArray[Any], sums: NDArray[Any]
) -> None:
    """sums[row] = Σ weight · cells[movie] over the history's movies in the core, four at a time."""
    starts, columns, weights = history
    movies, shares = np.empty(cells.shape[0] + 4, np.int32), np.empty(cells.shape[0] + 4, np.float32)
    total = np.empty(COLUMNS_AT_ONCE, np.float32)
    for first in range(0, cells.shape[1], COLUMNS_AT_ONCE):
        last = min(first + COLUMNS_AT_ONCE, cells.shape[1])
        for row in range(len(starts) - 1):
            count = 0
            for at in range(starts[row], starts[row + 1]):
                if place[columns[at]] >= 0:
                    movies[count] = place[columns[at]]
                    shares[count] = weights[at]
                    count += 1
            movies[count : count + 3] = 0
            shares[count : count + 3] = 0.0
            total[:] = 0.0
            for at in range(0, count, 4):
                a, b = cells[movies[at], first:last], cells[movies[at + 1], first:last]
                c, d = cells[movies[at + 2], first:last], cells[movies[at + 3], first:last]
                of_a, of_b, of_c, of_d = shares[at], shares[at + 1], shares[at + 2], shares[at + 3]
                for j in range(last - first):
                    total[j] += (
                        of_a * from_bfloat16(a[j])
                        + of_b * from_bfloat16(b[j])
                        + of_c * from_bfloat16(c[j])
                        + of_d * from_bfloat16(d[j])
                    )
            sums[row, first:last] = total[: last - first]


@compiled_in_order
def _add_border(  # pragma: no cover - compiled
    movies: NDArray[Any], weights: NDArray[Any], border: Compressed, out: NDArray[Any]
) -> None:
    """Add the border's rows of one history to its scores."""
    starts, columns, cells = border
    for at in range(len(movies)):
        for cell in range(starts[movies[at]], starts[movies[at] + 1]):
            out[columns[cell]] += weights[at] * cells[cell]


@compiled_in_order
def _score(  # pragma: no cover - compiled
    history: Compressed, sums: NDArray[Any], core: NDArray[Any], border: Compressed, out: NDArray[Any]
) -> None:
    """Scores of all movies, (rows, M), from those of the core, (rows, D)."""
    starts, movies, weights = history
    for row in range(len(starts) - 1):
        mine = slice(starts[row], starts[row + 1])
        out[row] = 0.0
        out[row][core] = sums[row]
        _add_border(movies[mine], weights[mine], border, out[row])


@compiled_in_order
def _list(  # pragma: no cover - compiled
    history: Compressed,
    sums: NDArray[Any],
    core: NDArray[Any],
    border: Compressed,
    line: tuple[NDArray[Any], NDArray[Any]],
    skipped: tuple[NDArray[Any], NDArray[Any]],
    lists: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """The best of a + b · score for each row, without what it leaves out."""
    starts, movies, weights = history
    base, slope = line
    values = np.empty((1, len(base)), np.float32)
    for row in range(len(starts) - 1):
        one = slice(row, row + 1)
        _score((starts[row : row + 2], movies, weights), sums[one], core, border, values)
        for movie in range(len(base)):
            values[0, movie] = base[movie] + slope[movie] * values[0, movie]
        merge_scores(values, 0, skipped[0][row : row + 2], skipped[1], lists[0][one], lists[1][one])
