"""Biased matrix factorization by alternating least squares (ALS), for sets of ratings too large to sample.

Here: the fit, and the residuals on ratings held out of most of it. Not here: the table that predicts (``als_table``),
predictive variance (``uncertainty``). Importing this module loads numba, so it is imported where it is used.

r(u, i) ≈ μ + b_u + b_i + p_u · q_i. With one side fixed, each row x of the other side, a bias and f factors, solves a
ridge regression (Σ q qᵀ + Λ) x = Σ q (r − μ − b), in which every q has a last entry of 1 for the bias and Λ is
λ₀ + λ₁·n for the factors of a row with n ratings and a damping for its bias. The matrix is never formed: a few steps of
conjugate gradient, started from the row of the last sweep, need only products with the rows that it rated (Takács,
Pilászy & Tikk 2011), here with the diagonal as preconditioner. The time goes into reading memory, so the factors of
the fixed side are read as bfloat16, which costs no RMSE (docs/decisions/0061).

Residuals of ratings that were trained on are too small to tell the variance of new ones. Some ratings are therefore
held out of the first three quarters of the sweeps, predicted, and trained on in the remaining sweeps: ``uncertainty``
gets honest residuals, and the fit needs no additional sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import distinct, positions
from cinematch_assets.recommender.config import AlsConfig
from cinematch_assets.recommender.data import Floats, Ids, Ratings
from cinematch_assets.recommender.kernels.bfloat16 import from_bfloat16, to_bfloat16
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.conjugate_gradient import TOLERANCE, cg_start, cg_step
from cinematch_assets.recommender.kernels.parallel import balanced_blocks, run_blocks
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.random_streams import derive_stream

VECTOR_WIDTH = 16
"""Factors are stored in multiples of a vector register of float32."""

HOLDOUT_ROWS = 10_000
"""Ratings held out: the share of them within an interval of 80 % is then known to 0.4 %."""

MIN_HOLDOUT_SHARE, MAX_HOLDOUT_SHARE = 0.01, 0.05
"""Large sets hold out more rows than that, so that users with few ratings are among them, and small sets fewer."""

NO_HOLDOUT = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class RatingRows:
    """Ratings of one side in compressed rows: row i has ``ratings`` of ``columns[starts[i]:starts[i + 1]]``.

    ``columns`` are row numbers of the other side. A rating that is held out has ``~column`` there, which is below
    zero: sweeps skip it.
    """

    starts: NDArray[np.int64]
    columns: Ids
    ratings: Floats


@dataclass(frozen=True, slots=True)
class HoldoutResiduals:
    """How a fit after three quarters of its sweeps predicted k ratings that it had not been trained on.

    ``users`` and ``movies`` (k,) are row numbers; ``errors`` (k,) are predictions, clipped to the range of the data,
    minus ratings. ``user_squares`` (U,) are sums of squared errors over the ratings it was trained on;
    ``user_counts`` (U,) and ``movie_counts`` (M,) are how many these were.
    """

    users: NDArray[np.intp]
    movies: Ids
    errors: Floats
    user_squares: NDArray[np.float64]
    user_counts: NDArray[np.int64]
    movie_counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AlsFactors:
    """``users`` (U,) and ``movies`` (M,) ascending, their biases, and their factors (U, f) and (M, f), float32.

    ``holdout`` is None where nothing was held out: with fewer than 20 ratings, or a single sweep.
    """

    mean: float
    users: Ids
    movies: Ids
    user_bias: Floats
    movie_bias: Floats
    user_factors: Floats
    movie_factors: Floats
    holdout: HoldoutResiduals | None = field(default=None, kw_only=True)


def fit_als(
    train: Ratings, config: AlsConfig, rng: np.random.Generator, progress: Progress = no_progress
) -> AlsFactors:
    """Fit to ``train``, which has at least one row and each (user, movie) once.

    Memory beside ``train``: 16 bytes per rating, and the factors. The same rows and seed give the same bytes on any
    number of threads: each row of a side is computed by one thread.
    """
    holdout_sweep = config.sweeps * 3 // 4
    holdout = draw_holdout(len(train), rng) if holdout_sweep else NO_HOLDOUT
    by_user, by_movie, users, movies = compress_ratings(train, holdout)
    mean = float(np.mean(train.ratings, dtype=np.float64))
    width = -(-config.factors // VECTOR_WIDTH) * VECTOR_WIDTH
    user_bias, movie_bias = np.zeros(len(users), np.float32), np.zeros(len(movies), np.float32)
    user_factors = np.zeros((len(users), width), np.float32)
    movie_factors = np.zeros((len(movies), width), np.float32)
    movie_factors[:, : config.factors] = _draw_factors(rng, len(movies), config.factors)
    residuals = None
    for sweep in range(config.sweeps):
        progress("ratings", sweep / config.sweeps)
        if len(holdout) and sweep == holdout_sweep:
            sides = (user_bias, user_factors), (movie_bias, movie_factors)
            residuals = _holdout_residuals(by_user, np.diff(by_movie.starts), holdout, mean, sides)
            for rows in (by_user, by_movie):
                np.invert(rows.columns, out=rows.columns, where=rows.columns < 0)
        half_sweep(by_user, mean, (movie_bias, movie_factors), (user_bias, user_factors), config)
        half_sweep(by_movie, mean, (user_bias, user_factors), (movie_bias, movie_factors), config)
    progress("ratings", 1.0)
    used = slice(None, config.factors)
    return AlsFactors(
        mean, users, movies, user_bias, movie_bias, user_factors[:, used], movie_factors[:, used], holdout=residuals
    )


def compress_ratings(train: Ratings, holdout: NDArray[np.intp] = NO_HOLDOUT) -> tuple[RatingRows, RatingRows, Ids, Ids]:
    """Ratings by user and by movie, with the rows in ``holdout`` marked, and the ids of both sides, ascending.

    ``train`` is in canonical order.
    """
    first = np.flatnonzero(np.diff(train.users, prepend=train.users[0] - 1))
    users = train.users[first]
    starts = np.append(first, len(train)).astype(np.int64)
    movies = distinct(train.movies)
    columns = positions(train.movies, movies)[0].astype(np.int32)
    by_user = RatingRows(starts, columns, train.ratings)
    counts = np.bincount(columns, minlength=len(movies))
    columns[holdout] = ~columns[holdout]
    by_movie = RatingRows(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.empty(len(train), np.int32),
        np.empty(len(train), np.float32),
    )
    _transpose(by_user.starts, columns, train.ratings, by_movie.starts[:-1].copy(), by_movie.columns, by_movie.ratings)
    return by_user, by_movie, users, movies


def half_sweep(
    rows: RatingRows, mean: float, fixed: tuple[Floats, Floats], solved: tuple[Floats, Floats], config: AlsConfig
) -> None:
    """Improve in place the biases and factors of one side, ``solved``, with those of the other side ``fixed``.

    Ratings that are held out count in the ridge alone, which is then as strong as it will be once they are trained on.
    """
    hyperparameters = np.array([mean, config.ridge, config.ridge_per_rating, config.bias_damping], np.float32)
    bounds = balanced_blocks(rows.starts)

    def solve_block(block: int) -> None:
        _solve(
            (rows.starts, rows.columns, rows.ratings),
            (int(bounds[block]), int(bounds[block + 1])),
            hyperparameters,
            config.steps,
            compact,
            solved,
        )

    compact = fixed[0], to_bfloat16(fixed[1])
    run_blocks(solve_block, range(len(bounds) - 1))


def draw_holdout(rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Row numbers to hold out of ``rows``, ascending."""
    count = int(min(max(HOLDOUT_ROWS, MIN_HOLDOUT_SHARE * rows), MAX_HOLDOUT_SHARE * rows))
    return np.sort(derive_stream(rng, rows).choice(rows, size=count, replace=False, shuffle=False))


def _holdout_residuals(
    rows: RatingRows,
    movie_counts: NDArray[np.int64],
    holdout: NDArray[np.intp],
    mean: float,
    sides: tuple[tuple[Floats, Floats], tuple[Floats, Floats]],
) -> HoldoutResiduals:
    """Errors of the biases and factors of both ``sides`` on the ratings by user; ``movie_counts`` (M,) are of all."""
    users, movies = np.searchsorted(rows.starts, holdout, side="right") - 1, ~rows.columns[holdout]
    mean_and_range = np.array([mean, rows.ratings.min(), rows.ratings.max()], np.float32)
    squares, errors = np.zeros(len(rows.starts) - 1), np.empty(len(holdout), np.float32)
    bounds, holdout_starts = balanced_blocks(rows.starts), np.searchsorted(holdout, rows.starts)

    def measure_block(block: int) -> None:
        _errors(
            (rows.starts, rows.columns, rows.ratings),
            (int(bounds[block]), int(bounds[block + 1])),
            mean_and_range,
            *sides,
            (squares, errors, holdout_starts),
        )

    run_blocks(measure_block, range(len(bounds) - 1))
    user_counts = np.diff(rows.starts) - np.diff(holdout_starts)
    trained_movie_counts = movie_counts - np.bincount(movies, minlength=len(movie_counts))
    return HoldoutResiduals(users, movies, errors, squares, user_counts, trained_movie_counts)


def _draw_factors(rng: np.random.Generator, rows: int, factors: int) -> Floats:
    """Small normal numbers (rows, factors) to start from: from zeros no sweep would get away."""
    return rng.standard_normal((rows, factors), dtype=np.float32) * np.float32(0.1 / np.sqrt(factors))


@compiled
def _transpose(  # pragma: no cover - compiled
    starts: NDArray[Any],
    columns: NDArray[Any],
    ratings: NDArray[Any],
    free: NDArray[Any],
    rows_out: NDArray[Any],
    ratings_out: NDArray[Any],
) -> None:
    """Second pass of a counting sort by column, which keeps the order of rows within a column and the holdout's marks.

    ``free`` (columns,) is where the next cell of each column goes.
    """
    for row in range(len(starts) - 1):
        for cell in range(starts[row], starts[row + 1]):
            column = columns[cell]
            held_out = column < 0
            column = ~column if held_out else column
            slot = free[column]
            free[column] = slot + 1
            rows_out[slot] = ~row if held_out else row
            ratings_out[slot] = ratings[cell]


@compiled
def _solve(  # pragma: no cover - compiled
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    span: tuple[int, int],
    hyperparameters: NDArray[Any],
    steps: int,
    fixed: tuple[NDArray[Any], NDArray[Any]],
    solved: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """Preconditioned conjugate gradient on (Σ q qᵀ + Λ) x = Σ q (r − μ − b), for the rows of ``span``.

    Vectors are (f + 1,): the factors and, last, the bias, whose entry of every q is 1.
    """
    starts, columns, ratings = rows
    bias, factors = solved
    mean, ridge, ridge_per_rating, damping = hyperparameters
    size = factors.shape[1] + 1
    x, residual, direction, Ap, preconditioner = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    for row in range(span[0], span[1]):
        cells = slice(starts[row], starts[row + 1])
        # Λ: λ₀ + λ₁·n on the factors, the damping on the bias.
        penalty = ridge + ridge_per_rating * np.float32(starts[row + 1] - starts[row])
        # Start from the row of the last sweep.
        x[:-1] = factors[row]
        x[-1] = bias[row]
        _residual((columns[cells], ratings[cells]), mean, fixed, (penalty, damping), x, residual, preconditioner)
        rz = cg_start(residual, preconditioner, direction)
        for _ in range(steps):
            if rz < TOLERANCE:
                break
            _product(columns[cells], fixed[1], (penalty, damping), direction, Ap)
            rz = cg_step(rz, Ap, preconditioner, x, residual, direction)
        factors[row] = x[:-1]
        bias[row] = x[-1]


@compiled
def _residual(  # pragma: no cover - compiled
    rated: tuple[NDArray[Any], NDArray[Any]],
    mean: float,
    fixed: tuple[NDArray[Any], NDArray[Any]],
    penalties: tuple[float, float],
    x: NDArray[Any],
    residual: NDArray[Any],
    preconditioner: NDArray[Any],
) -> None:
    """Residual = Σ q (r − μ − b − q · x) − Λx and preconditioner = the diagonal of Σ q qᵀ + Λ."""
    columns, ratings = rated
    fixed_bias, fixed_factors = fixed
    width = len(x) - 1
    # The part of Λ; its diagonal for the bias follows below, with the number of ratings.
    residual[:-1] = -penalties[0] * x[:-1]
    residual[-1] = -penalties[1] * x[-1]
    preconditioner[:-1] = penalties[0]
    bias_residual = np.float32(0.0)
    trained = 0
    for cell in range(len(columns)):
        if columns[cell] < 0:
            continue
        trained += 1
        # e = r − μ − b − q · x.
        q = fixed_factors[columns[cell]]
        error = ratings[cell] - mean - fixed_bias[columns[cell]] - x[width]
        for f in range(width):
            error -= from_bfloat16(q[f]) * x[f]
        # Add q e to the residual and q² to the diagonal.
        for f in range(width):
            value = from_bfloat16(q[f])
            residual[f] += error * value
            preconditioner[f] += value * value
        bias_residual += error
    residual[-1] += bias_residual
    preconditioner[-1] = penalties[1] + np.float32(trained)


@compiled
def _product(  # pragma: no cover - compiled
    columns: NDArray[Any],
    fixed_factors: NDArray[Any],
    penalties: tuple[float, float],
    direction: NDArray[Any],
    Ap: NDArray[Any],
) -> None:
    """A p = (Σ q qᵀ + Λ) p for the direction p."""
    width = len(direction) - 1
    # Λ p.
    Ap[:-1] = penalties[0] * direction[:-1]
    Ap[-1] = penalties[1] * direction[-1]
    bias_product = np.float32(0.0)
    for cell in range(len(columns)):
        if columns[cell] < 0:
            continue
        # Add q (q · p).
        q = fixed_factors[columns[cell]]
        product = direction[width]
        for f in range(width):
            product += from_bfloat16(q[f]) * direction[f]
        for f in range(width):
            Ap[f] += product * from_bfloat16(q[f])
        bias_product += product
    Ap[-1] += bias_product


@compiled
def _errors(  # pragma: no cover - compiled
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    span: tuple[int, int],
    mean_and_range: NDArray[Any],
    row_side: tuple[NDArray[Any], NDArray[Any]],
    column_side: tuple[NDArray[Any], NDArray[Any]],
    out: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> None:
    """For the rows of ``span``: the error of each held-out rating, and the sum of squared errors of the others."""
    starts, columns, ratings = rows
    (row_bias, row_factors), (column_bias, column_factors) = row_side, column_side
    squares, errors, holdout_starts = out
    mean, low, high = mean_and_range
    for row in range(span[0], span[1]):
        slot = holdout_starts[row]
        for cell in range(starts[row], starts[row + 1]):
            held_out = columns[cell] < 0
            column = ~columns[cell] if held_out else columns[cell]
            # μ + b_u + b_i + p_u · q_i, clipped to the range of the data.
            predicted = mean + row_bias[row] + column_bias[column]
            for f in range(column_factors.shape[1]):
                predicted += row_factors[row, f] * column_factors[column, f]
            error = min(max(predicted, low), high) - ratings[cell]
            if held_out:
                errors[slot] = error
                slot += 1
            else:
                squares[row] += error * error
