"""EASE^R for many users: exact among often rated movies (the head), by nearest neighbours for the others (the tail).

Here: fitting and scoring for many users. Not here: few users (``ranking.ease_dual``, whose formulas and symbols are
these), the choice between the two (``ranking.ranker``). Importing this module loads numba.

The inverse costs movies³, so it is computed for the head alone, the ``head_items`` most rated movies. A movie j of the
tail is regressed on its nearest head movies: b = (G_NN + L_N)⁻¹ G_Nj, N the head movies of highest cosine with j; by
the inverse of a bordered matrix P_jj = 1 / (G_jj + L_j − bᵀG_Nj), which gives B_ij = b_i from head to tail and
B_ji = b_i P_jj / P_ii from tail to head. The ``kept`` largest b_i of a tail movie are stored; the others are small and
mostly of very popular movies, where they would cost most time for least effect (docs/decisions/0060).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ids
from cinematch_assets.recommender.kernels.bfloat16 import from_bfloat16, to_bfloat16
from cinematch_assets.recommender.kernels.compiled import compiled_in_order
from cinematch_assets.recommender.kernels.parallel import one_blas_thread, run_blocks
from cinematch_assets.recommender.kernels.topn import (
    NO_COLUMN,
    SCAN_WIDTH,
    Best,
    Compressed,
    Exclusions,
    insert_score,
    offer_score,
)
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights
from cinematch_assets.recommender.ranking.reasons import Contributions, largest_contributions

BLOCK_ITEMS = 64
BLOCK_USERS = 256
BLOCK_COLUMNS = 1024
"""Cells of a head row that are read at once: this stretch of all head rows stays in the cache from user to user."""


class _Places(NamedTuple):
    """All M movies in places, the head first, each part ascending; what a selection needs of each place."""

    movies: Ids  # (M,) the movie in each place
    place_of: Ids  # (M,) the place of each movie
    scale: Floats  # (M,) a movie is ordered by scale · score + shift
    shift: Floats


@dataclass(frozen=True, slots=True)
class SparseEase:
    """B from rated movie to scored movie, over the M movies of ``histories``."""

    histories: UserHistories
    head: Ids  # (D,) indices of the head movies
    head_cells: NDArray[np.uint16]  # (D, D) B among them, the bits of bfloat16
    border: sparse.csr_matrix  # (M, M) the rest of B

    name = "ease_sparse"
    block_users = 16_384
    """Users whose rankings are held at once; their scores are not."""

    def scores(self, weights: sparse.csr_matrix) -> Floats:
        """Scores X B, (rows, M) float32, for rating weights X (rows, M)."""
        out = np.empty(weights.shape, np.float32)

        def score_from(start: int) -> None:
            block = slice(start, start + BLOCK_USERS)
            rows, sums = self._head_sums(weights[block])
            _score(rows, sums, self.head, self._border(), out[block])

        run_blocks(score_from, range(0, weights.shape[0], BLOCK_USERS))
        return out

    def best(
        self, weights: sparse.csr_matrix, scale_shift: tuple[Floats, Floats], k: int, excluded: Exclusions
    ) -> Best:
        """The ``k`` best movies of each row by scale · score + shift, (M,) each, without excluded ones.

        A thread holds the head scores of a block of rows, and all scores of one row.
        """
        best = Best.unfilled(weights.shape[0], min(k, len(self.histories.movies)))
        if best.scores.shape[1] == 0:
            return best
        places = self._places(scale_shift)
        border = self.border.indptr, places.place_of[self.border.indices].astype(np.uint32), self.border.data

        def select_from(start: int) -> None:
            block = slice(start, start + BLOCK_USERS)
            rows, sums = self._head_sums(weights[block])
            excluded_rows = excluded.starts[start : start + len(sums) + 1], excluded.columns
            _select(rows, sums, border, places, excluded_rows, (best.columns[block], best.scores[block]))

        run_blocks(select_from, range(0, weights.shape[0], BLOCK_USERS))
        return best

    def contributions(self, weights: sparse.csr_matrix, listed: Ids) -> Contributions:
        """What contributes most to the scores of ``listed`` movies (rows, k), empty slots −1, of the rows of X."""
        head_index = _head_index(self.head, len(self.histories.movies))

        def columns(rated: Ids, targets: Ids) -> Floats:
            out = np.zeros((len(targets), len(rated)), np.float32)
            _add_columns(rated, targets, (head_index, self.head_cells), self._border(), out)
            return out

        return largest_contributions(weights, listed, columns)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The model as named arrays."""
        width = np.uint16 if len(self.histories.movies) <= np.iinfo(np.uint16).max else np.int32
        return {
            "head": self.head,
            "head_cells": self.head_cells,
            "border_starts": self.border.indptr.astype(np.int64),
            "border_columns": self.border.indices.astype(width),
            "border_values": self.border.data,
        } | self.histories.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SparseEase:
        """The inverse of ``arrays``."""
        histories = UserHistories.from_arrays(arrays)
        width = len(histories.movies)
        starts, columns = arrays["border_starts"].astype(np.int32), arrays["border_columns"].astype(np.int32)
        border = sparse.csr_matrix((arrays["border_values"], columns, starts), shape=(width, width))
        return cls(histories, arrays["head"], arrays["head_cells"], border)

    def _head_sums(self, weights: sparse.csr_matrix) -> tuple[Compressed, Floats]:
        """The rows as bare arrays, and the head movies' scores from the head movies alone, (rows, D)."""
        rows = weights.indptr, weights.indices, weights.data
        sums = np.empty((weights.shape[0], len(self.head)), np.float32)
        _add_head(rows, _head_index(self.head, len(self.histories.movies)), self.head_cells, sums)
        return rows, sums

    def _places(self, scale_shift: tuple[Floats, Floats]) -> _Places:
        movies = np.concatenate([self.head, np.setdiff1d(np.arange(len(self.histories.movies)), self.head)])
        place_of = np.empty(len(movies), np.int32)
        place_of[movies] = np.arange(len(movies), dtype=np.int32)
        scale, shift = (each[movies] for each in scale_shift)
        return _Places(movies.astype(np.int32), place_of, scale, shift)

    def _border(self) -> Compressed:
        return self.border.indptr, self.border.indices, self.border.data


def fit_ease_sparse(
    train: UserHistories,
    catalogue: Catalogue,  # noqa: ARG001  the signature of every trainer
    config: RankingConfig,
    rng: np.random.Generator,  # noqa: ARG001
    progress: Progress = no_progress,
) -> SparseEase:
    """Fit EASE over the ``head_items`` most rated movies, and ridge over ``neighbours`` of them for each other one."""
    movies = train.movies
    rows = train.weights()
    rows.data *= np.repeat(np.sqrt(user_weights(rows, config.user_exponent)), np.diff(rows.indptr))
    columns = rows.tocsc()
    counts = np.diff(columns.indptr)
    head = np.sort(np.lexsort((movies, -counts))[: min(config.head_items, int((counts > 0).sum()))])
    squares = np.asarray(np.bincount(rows.indices, np.square(rows.data), minlength=len(movies)), np.float64)
    penalty = (config.ridge + config.dropout * squares).astype(np.float32)

    progress("EASE", 0.0)
    gram = _gram(rows, head)
    gram[np.diag_indices_from(gram)] += penalty[head]
    tail = np.setdiff1d(np.flatnonzero(counts > 0), head).astype(np.int64)
    progress("EASE", 0.2)
    neighbours, coefficients, tail_inverse = _fit_tail(rows, columns, head, tail, gram, penalty, config.neighbours)
    progress("EASE", 0.6)
    inverse_diagonal = (1.0 / penalty.astype(np.float64)).astype(np.float32)
    head_inverse = _inverse(gram)
    inverse_diagonal[head] = np.diag(head_inverse)
    inverse_diagonal[tail] = tail_inverse
    neighbours = _keep_largest(neighbours, coefficients, config.kept)
    border = _border_cells(neighbours, coefficients, head, tail, inverse_diagonal)
    progress("EASE", 1.0)
    return SparseEase(train, head.astype(np.int32), _head_cells(head_inverse), border)


def _head_index(head: NDArray[np.integer], width: int) -> NDArray[np.int32]:
    """The position of each movie in the head, (M,), ``NO_COLUMN`` for movies of the tail."""
    index = np.full(width, NO_COLUMN, np.int32)
    index[head] = np.arange(len(head), dtype=np.int32)
    return index


def _gram(rows: sparse.csr_matrix, head: NDArray[np.int64]) -> Floats:
    """X̃ᵀX̃ over the head, (D, D) float32."""
    inner = rows[:, head]
    inner.sort_indices()
    order = np.argsort(inner.indices, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(inner.indices, minlength=len(head)))]).astype(np.int64)
    ends = np.repeat(inner.indptr[1:], np.diff(inner.indptr)).astype(np.int32)
    gram = np.zeros((len(head), len(head)), np.float32)

    def sum_from(start: int) -> None:
        stop = min(start + BLOCK_ITEMS, len(head))
        _upper((starts[start : stop + 1], order, ends), inner.indices, inner.data, gram[start:stop])

    run_blocks(sum_from, range(0, len(head), BLOCK_ITEMS))
    _mirror(gram)
    return gram


def _inverse(gram: Floats) -> Floats:
    """The inverse of a positive definite matrix, which it overwrites."""
    with one_blas_thread():
        factor, factor_error = linalg.lapack.spotrf(gram.T, lower=1, overwrite_a=1)
        inverse, inverse_error = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if factor_error or inverse_error:
        raise linalg.LinAlgError(
            f"the movies' co-ratings cannot be inverted (LAPACK spotrf {factor_error}, spotri {inverse_error})"
        )
    _mirror(inverse.T)
    return np.asarray(inverse.T)


def _head_cells(inverse: Floats) -> NDArray[np.uint16]:
    """B_ij = −P_ij / P_jj with a zero diagonal, (D, D), the bits of bfloat16."""
    scale = -1.0 / np.diag(inverse)
    cells = np.empty(inverse.shape, np.uint16)
    for row in range(len(inverse)):
        values = inverse[row] * scale
        values[row] = 0.0
        cells[row] = to_bfloat16(values)
    return cells


def _fit_tail(
    rows: sparse.csr_matrix,
    columns: sparse.csc_matrix,
    head: NDArray[np.int64],
    tail: NDArray[np.int64],
    gram: Floats,
    penalty: Floats,
    neighbours: int,
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Neighbours of the T tail movies, (T, n) positions in the head or ``NO_COLUMN``, their b (T, n), and P_jj (T,)."""
    head_index = _head_index(head, rows.shape[1])
    n = min(neighbours, len(head))
    found = np.full((len(tail), n), NO_COLUMN, np.int32)
    coefficients = np.zeros((len(tail), n), np.float32)
    inverse_diagonal = np.zeros(len(tail), np.float32)
    norms = np.sqrt(np.diag(gram))

    def regress_from(start: int) -> None:
        block = slice(start, start + BLOCK_ITEMS)
        _regress(
            (rows.indptr, rows.indices, rows.data),
            (columns.indptr, columns.indices, columns.data),
            head_index,
            tail[block],
            (gram, norms, penalty),
            (found[block], coefficients[block], inverse_diagonal[block]),
        )

    run_blocks(regress_from, range(0, len(tail), BLOCK_ITEMS))
    return found, coefficients, inverse_diagonal


def _keep_largest(neighbours: NDArray[np.int32], coefficients: Floats, kept: int) -> NDArray[np.int32]:
    """``neighbours`` (T, n) with only the ``kept`` of largest absolute b in each row; of equal ones the first."""
    order = np.argsort(-np.abs(coefficients), axis=1, kind="stable")
    out = neighbours.copy()
    np.put_along_axis(out, order[:, kept:], NO_COLUMN, axis=1)
    return out


def _border_cells(
    neighbours: NDArray[np.int32],
    coefficients: Floats,
    head: NDArray[np.int64],
    tail: NDArray[np.int64],
    inverse_diagonal: Floats,
) -> sparse.csr_matrix:
    """B from head to tail and from tail to head, (M, M)."""
    known = neighbours >= 0
    of_head = head[neighbours[known]]
    of_tail = np.broadcast_to(tail[:, None], neighbours.shape)[known]
    to_tail = coefficients[known]
    to_head = to_tail * inverse_diagonal[of_tail] / inverse_diagonal[of_head]
    cells = sparse.csr_matrix(
        (
            np.concatenate([to_tail, to_head]),
            (np.concatenate([of_head, of_tail]), np.concatenate([of_tail, of_head])),
        ),
        shape=(len(inverse_diagonal), len(inverse_diagonal)),
    )
    cells.sort_indices()
    return cells


@compiled_in_order
def _upper(  # pragma: no cover - compiled
    cells: Compressed, columns: NDArray[Any], weights: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i, j] = Σ over the raters of movie i of their weights for i times those for j, for j ≥ i.

    ``cells`` are where each movie's ratings start, their order by movie, and where the row of each rating ends.
    """
    starts, order, ends = cells
    for i in range(len(starts) - 1):
        for entry in range(starts[i], starts[i + 1]):
            # A row's columns ascend: what follows movie i in its rater's row is j ≥ i.
            first = order[entry]
            for cell in range(first, ends[first]):
                out[i, columns[cell]] += weights[first] * weights[cell]


@compiled_in_order
def _products(  # pragma: no cover - compiled
    rows: Compressed, columns: Compressed, head_index: NDArray[Any], movies: NDArray[Any], out: NDArray[Any]
) -> None:
    """out[i] = Σ over the raters of movies[i] of their weight for it times their head weights; out (n, D) is zeros."""
    row_starts, row_columns, row_weights = rows
    column_starts, column_rows, column_weights = columns
    for i in range(len(movies)):
        for entry in range(column_starts[movies[i]], column_starts[movies[i] + 1]):
            user, weight = column_rows[entry], column_weights[entry]
            for cell in range(row_starts[user], row_starts[user + 1]):
                position = head_index[row_columns[cell]]
                if position >= 0:
                    out[i, position] += weight * row_weights[cell]


@compiled_in_order
def _regress(  # pragma: no cover - compiled
    rows: Compressed,
    columns: Compressed,
    head_index: NDArray[Any],
    movies: NDArray[Any],
    head: Compressed,
    out: Compressed,
) -> None:
    """Ridge of each movie on the head movies of highest cosine with it.

    ``head`` is G + L (D, D), the norms of its columns (D,) and the penalties of all movies (M,); ``out`` are the
    neighbours, their coefficients and P_jj of ``movies``.
    """
    gram, norms, penalty = head
    neighbours, coefficients, inverse_diagonal = out
    joint = np.zeros((1, len(norms)), np.float32)
    nearest = np.empty(neighbours.shape[1], np.int32)
    cosines = np.empty(neighbours.shape[1], np.float32)
    for i in range(len(movies)):
        # G_Dj, and the head movies of highest cosine (the norm of j is common to all).
        joint[:] = 0.0
        _products(rows, columns, head_index, movies[i : i + 1], joint)
        cosine = joint[0] / norms
        nearest[:] = NO_COLUMN
        cosines[:] = 0.0
        for movie in range(len(norms)):
            if cosine[movie] > cosines[-1]:
                insert_score(nearest, cosines, movie, cosine[movie])
        count = int(np.sum(nearest >= 0))
        # G_jj + L_j.
        remainder = penalty[movies[i]]
        for entry in range(columns[0][movies[i]], columns[0][movies[i] + 1]):
            remainder += columns[2][entry] ** 2
        if count > 0:
            # b = (G_NN + L_N)⁻¹ G_Nj, and G_jj + L_j − bᵀG_Nj.
            chosen = np.sort(nearest[:count])
            local = np.empty((count, count), np.float64)
            right = np.empty(count, np.float64)
            for a in range(count):
                right[a] = joint[0, chosen[a]]
                for b in range(count):
                    local[a, b] = gram[chosen[a], chosen[b]]
            solved = np.linalg.solve(local, right)
            remainder -= np.dot(solved, right)
            neighbours[i, :count] = chosen
            coefficients[i, :count] = solved
        inverse_diagonal[i] = 1.0 / remainder


@compiled_in_order
def _mirror(matrix: NDArray[Any]) -> None:  # pragma: no cover - compiled
    """Copy the upper triangle of a C-ordered matrix onto the lower."""
    for row in range(len(matrix)):
        for column in range(row):
            matrix[row, column] = matrix[column, row]


@compiled_in_order
def _add_head(  # pragma: no cover - compiled
    history: Compressed, head_index: NDArray[Any], cells: NDArray[Any], sums: NDArray[Any]
) -> None:
    """sums[row] = Σ weight · cells[movie] over the row's head movies, (rows, D)."""
    starts, columns, weights = history
    movies, shares = np.empty(cells.shape[0] + 4, np.int32), np.empty(cells.shape[0] + 4, np.float32)
    total = np.empty(BLOCK_COLUMNS, np.float32)
    for first in range(0, cells.shape[1], BLOCK_COLUMNS):
        last = min(first + BLOCK_COLUMNS, cells.shape[1])
        for row in range(len(starts) - 1):
            # The row's head movies and weights, padded with zero weights to a multiple of four.
            count = 0
            for entry in range(starts[row], starts[row + 1]):
                if head_index[columns[entry]] >= 0:
                    movies[count] = head_index[columns[entry]]
                    shares[count] = weights[entry]
                    count += 1
            movies[count : count + 3] = 0
            shares[count : count + 3] = 0.0
            # Four movies' cells at a time: one pass over ``total`` for the four.
            total[:] = 0.0
            for entry in range(0, count, 4):
                a, b = cells[movies[entry], first:last], cells[movies[entry + 1], first:last]
                c, d = cells[movies[entry + 2], first:last], cells[movies[entry + 3], first:last]
                of_a, of_b, of_c, of_d = shares[entry], shares[entry + 1], shares[entry + 2], shares[entry + 3]
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
    """Add Σ weight · border[movie] of one history to its scores, (M,)."""
    starts, columns, cells = border
    for entry in range(len(movies)):
        for cell in range(starts[movies[entry]], starts[movies[entry] + 1]):
            out[columns[cell]] += weights[entry] * cells[cell]


@compiled_in_order
def _score(  # pragma: no cover - compiled
    history: Compressed, sums: NDArray[Any], head: NDArray[Any], border: Compressed, out: NDArray[Any]
) -> None:
    """Scores of all movies, (rows, M): the head's sums (rows, D) in their columns, and the border added."""
    starts, movies, weights = history
    for row in range(len(starts) - 1):
        rated = slice(starts[row], starts[row + 1])
        out[row] = 0.0
        out[row][head] = sums[row]
        _add_border(movies[rated], weights[rated], border, out[row])


@compiled_in_order
def _select(  # pragma: no cover - compiled
    history: Compressed,
    sums: NDArray[Any],
    border: Compressed,
    places: _Places,
    excluded: tuple[NDArray[Any], NDArray[Any]],
    selected: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """Select into ``selected``, columns and scores (rows, k), row by row; ``border`` has places for columns."""
    starts, rated, weights = history
    border_starts, border_places, cells = border
    head = sums.shape[1]
    movies, place_of, scale, shift = places
    values = np.zeros(len(movies), np.float32)
    shown = np.empty(SCAN_WIDTH, np.float32)
    for row in range(len(starts) - 1):
        columns, scores = selected[0][row], selected[1][row]
        values[:head] = sums[row]
        for entry in range(starts[row], starts[row + 1]):
            weight = weights[entry]
            for cell in range(border_starts[rated[entry]], border_starts[rated[entry] + 1]):
                values[border_places[cell]] += weight * cells[cell]
        for entry in range(excluded[0][row], excluded[0][row + 1]):
            values[place_of[excluded[1][entry]]] = -np.inf
        # Most stretches have nothing that is as good as the k-th best so far. The values are zeros again afterwards.
        for first in range(0, len(values), SCAN_WIDTH):
            last = min(first + SCAN_WIDTH, len(values))
            if _reach(values[first:last], scale[first:last], shift[first:last], scores[-1], shown):
                for i in range(last - first):
                    offer_score(columns, scores, movies[first + i], shown[i])


@compiled_in_order
def _reach(  # pragma: no cover - compiled
    values: NDArray[Any], scale: NDArray[Any], shift: NDArray[Any], threshold: float, shown: NDArray[Any]
) -> bool:
    """Write shift + scale · value into ``shown`` and zero into ``values``; return whether any is up to the threshold.

    The loops are such as vector registers can do.
    """
    count = np.int32(0)
    for i in range(len(values)):
        shown[i] = shift[i] + scale[i] * values[i]
        values[i] = 0.0
    for i in range(len(values)):
        count += np.int32(shown[i] >= threshold)
    return bool(count > 0)


@compiled_in_order
def _add_columns(  # pragma: no cover - compiled
    rated: NDArray[Any],
    targets: NDArray[Any],
    head: tuple[NDArray[Any], NDArray[Any]],
    border: Compressed,
    out: NDArray[Any],
) -> None:
    """Write B from ``rated`` (ascending) to ``targets`` into ``out``, (targets, rated) zeros.

    ``head`` is the position of each movie in the head, (M,), and the cells among them, (D, D).
    """
    head_index, cells = head
    starts, columns, values = border
    # Head to head: the cells, a row at a time.
    inner = np.flatnonzero(head_index[targets] >= 0)
    positions = head_index[targets[inner]]
    for i in range(len(rated)):
        if head_index[rated[i]] >= 0:
            row = cells[head_index[rated[i]]]
            for at in range(len(inner)):
                out[inner[at], i] = from_bfloat16(row[positions[at]])
    # Between head and tail the border has cells in both directions, so its row j names the movies of column j.
    for j in range(len(targets)):
        for movie in columns[starts[targets[j]] : starts[targets[j] + 1]]:
            i = np.searchsorted(rated, movie)
            if i < len(rated) and rated[i] == movie:
                first, last = starts[movie], starts[movie + 1]
                out[j, i] = values[first + np.searchsorted(columns[first:last], targets[j])]
