"""Predicted stars for many ratings: biased matrix factorization by alternating least squares.

Here: fitting and prediction. Not here: which method is taken (``model``), lists (``topn``). Importing this module loads
numba, so it is imported where it is used.

r(u, i) ≈ μ + b_u + b_i + p_u · q_i. With one side fixed, each row x of the other, a bias and f factors, solves a ridge
regression whose normal equations are never made: a few steps of conjugate gradient from the row of the last sweep need
only products with the rows it rated (Takács, Pilászy & Tikk 2011), here with the diagonal as preconditioner. What
these loops wait for is memory, so the fixed side is read as bfloat16, at no cost in RMSE (docs/decisions/0061). A row
with n ratings pays λ₀ + λ₁·n for its factors, and a damping for its bias.

Least squares say nothing about how far off they are, and errors on rows that were learned from are too small. So some
rows are put aside for the first three quarters of the sweeps, tried out, and learned from in those that are left. That
gives honest errors to ``spread``, and takes not one sweep more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.config import AlsConfig
from cinematch_assets.recommender.data import Floats, Ids, Ratings
from cinematch_assets.recommender.kernels.bfloat16 import narrow, wide
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.conjugate_gradient import LEAST_GAIN, advance, begin
from cinematch_assets.recommender.kernels.topn import in_blocks
from cinematch_assets.recommender.progress import Progress, no_progress

ROWS_AT_ONCE = 512
LARGEST_TABLE = 1_000_000
LANES = 16
"""Factors are kept in multiples of a vector register of float32."""

ASIDE = 10_000
"""Rows put aside for the trial: a share of 80 % of them is known to 0.4 %."""

LEAST_SHARE_ASIDE, MOST_SHARE_ASIDE = 0.01, 0.05
"""Of more rows more can be spared, for those with few ratings; of fewer rows fewer."""

NO_ROWS = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class Rows:
    """Ratings by one side, compressed: row i rated or was rated by ``others[starts[i]:starts[i + 1]]``.

    A rating that is put aside has ``~other`` there, which is below zero: sweeps leave it out.
    """

    starts: NDArray[np.int64]
    others: Ids
    stars: Floats


@dataclass(frozen=True, slots=True)
class Trial:
    """How a model that was three quarters fitted did on k ratings that it had not seen.

    ``users`` and ``movies`` (k,) are row numbers, ``errors`` (k,) the stars by which the prediction, kept within the
    data's range, was too high. ``user_squares`` (U,) sums up squared errors over the ratings it was fitted to;
    ``user_counts`` (U,) and ``movie_counts`` (M,) say how many these were.
    """

    users: NDArray[np.intp]
    movies: Ids
    errors: Floats
    user_squares: NDArray[np.float64]
    user_counts: NDArray[np.int64]
    movie_counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Als:
    """``users`` (U,) and ``movies`` (M,) ascending, their biases, and their factors (U, f) and (M, f), float32.

    ``trial`` is None if there was none: fewer than 20 ratings, or a single sweep.
    """

    mean: float
    users: Ids
    movies: Ids
    user_bias: Floats
    movie_bias: Floats
    user_factors: Floats
    movie_factors: Floats
    trial: Trial | None = field(default=None, kw_only=True)


def fit_als(train: Ratings, config: AlsConfig, seed: int, progress: Progress | None = None) -> Als:
    """Fit on ``train``, at least one row, one row per (user, movie).

    Memory beside ``train``: 16 bytes a rating and the factors, which are stored as they are fitted. The same rows and
    seed give the same bytes on any number of threads: each row of a side is one thread's own work.
    """
    tell = progress or no_progress
    trial_at = config.sweeps * 3 // 4
    aside = _put_aside(len(train), seed) if trial_at else NO_ROWS
    by_user, by_movie, users, movies = compressed(train, aside)
    mean = float(np.mean(train.ratings, dtype=np.float64))
    width = -(-config.factors // LANES) * LANES
    user_bias, movie_bias = np.zeros(len(users), np.float32), np.zeros(len(movies), np.float32)
    user_factors = np.zeros((len(users), width), np.float32)
    movie_factors = np.zeros((len(movies), width), np.float32)
    movie_factors[:, : config.factors] = _noise(seed, len(movies), config.factors)
    trial = None
    for sweep in range(config.sweeps):
        tell("stars", sweep / config.sweeps)
        if len(aside) and sweep == trial_at:
            sides = (user_bias, user_factors), (movie_bias, movie_factors)
            trial = _trial(by_user, np.diff(by_movie.starts), aside, mean, sides)
            for rows in (by_user, by_movie):
                np.invert(rows.others, out=rows.others, where=rows.others < 0)
        half_sweep(by_user, mean, (movie_bias, movie_factors), (user_bias, user_factors), config)
        half_sweep(by_movie, mean, (user_bias, user_factors), (movie_bias, movie_factors), config)
    tell("stars", 1.0)
    kept = slice(None, config.factors)
    return Als(mean, users, movies, user_bias, movie_bias, user_factors[:, kept], movie_factors[:, kept], trial=trial)


def compressed(train: Ratings, aside: NDArray[np.intp] = NO_ROWS) -> tuple[Rows, Rows, Ids, Ids]:
    """Ratings by user and by movie, those ``aside`` marked, and the ids of both, ascending.

    ``train`` is in canonical order.
    """
    first = np.flatnonzero(np.diff(train.users, prepend=train.users[0] - 1))
    users = train.users[first]
    starts = np.append(first, len(train)).astype(np.int64)
    movies, columns = _numbered(train.movies)
    by_user = Rows(starts, columns, train.ratings)
    counts = np.bincount(columns, minlength=len(movies))
    columns[aside] = ~columns[aside]
    by_movie = Rows(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.empty(len(train), np.int32),
        np.empty(len(train), np.float32),
    )
    _transpose(by_user.starts, columns, train.ratings, by_movie.starts[:-1].copy(), by_movie.others, by_movie.stars)
    return by_user, by_movie, users, movies


def _numbered(ids: Ids) -> tuple[Ids, Ids]:
    """The ids that occur, ascending, and for each of ``ids`` its number among them; by table where ids are dense."""
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or most > max(LARGEST_TABLE, len(ids)):
        known, numbers = np.unique(ids, return_inverse=True)
        return known, numbers.astype(np.int32)
    present = np.zeros(most + 1, np.bool_)
    present[ids] = True
    known = np.flatnonzero(present).astype(np.int32)
    table = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return known, table[ids]


def half_sweep(
    rows: Rows, mean: float, fixed: tuple[Floats, Floats], solved: tuple[Floats, Floats], config: AlsConfig
) -> None:
    """Improve bias and factors of each row of one side in place, the other side being fixed.

    Ratings put aside count for the ridge alone, which is as strong as it will be with them.
    """
    knobs = np.array([mean, config.ridge, config.ridge_per_rating, config.bias_damping], np.float32)
    bounds = _blocks(rows.starts)

    def block(at: int) -> None:
        _solve(
            (rows.starts, rows.others, rows.stars),
            (int(bounds[at]), int(bounds[at + 1])),
            knobs,
            config.steps,
            seen,
            solved,
        )

    seen = fixed[0], narrow(fixed[1])
    in_blocks(block, range(len(bounds) - 1))


def _blocks(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers that cut a side into pieces of about equal work, first and last included."""
    pieces = min(max(1, (len(starts) - 1) // 16), ROWS_AT_ONCE)
    work = starts + 16 * np.arange(len(starts))
    cuts = np.searchsorted(work, np.linspace(0, work[-1], pieces + 1)[1:-1])
    return np.unique(np.concatenate([[0], cuts, [len(starts) - 1]])).astype(np.int64)


def _put_aside(rows: int, seed: int) -> NDArray[np.intp]:
    """Some of so many rows, at random, ascending."""
    count = int(min(max(ASIDE, LEAST_SHARE_ASIDE * rows), MOST_SHARE_ASIDE * rows))
    rng = np.random.default_rng(np.random.SeedSequence([seed, rows]))
    return np.sort(rng.choice(rows, size=count, replace=False, shuffle=False))


def _trial(
    rows: Rows,
    raters: NDArray[np.int64],
    aside: NDArray[np.intp],
    mean: float,
    sides: tuple[tuple[Floats, Floats], tuple[Floats, Floats]],
) -> Trial:
    """Errors of both ``sides`` on the users' ``rows`` that are ``aside``, and on the others; ``raters`` is (M,)."""
    users, movies = np.searchsorted(rows.starts, aside, side="right") - 1, ~rows.others[aside]
    knobs = np.array([mean, rows.stars.min(), rows.stars.max()], np.float32)
    squares, errors = np.zeros(len(rows.starts) - 1), np.empty(len(aside), np.float32)
    bounds, places = _blocks(rows.starts), np.searchsorted(aside, rows.starts)

    def block(at: int) -> None:
        _try_out(
            (rows.starts, rows.others, rows.stars),
            (int(bounds[at]), int(bounds[at + 1])),
            knobs,
            *sides,
            (squares, errors, places),
        )

    in_blocks(block, range(len(bounds) - 1))
    user_counts = np.diff(rows.starts) - np.diff(places)
    return Trial(users, movies, errors, squares, user_counts, raters - np.bincount(movies, minlength=len(raters)))


def _noise(seed: int, rows: int, factors: int) -> Floats:
    """Small normal numbers to start from: zeros would stay zeros."""
    drawn = np.random.default_rng(seed).standard_normal((rows, factors), dtype=np.float32)
    return drawn * np.float32(0.1 / np.sqrt(factors))


@compiled
def _transpose(  # pragma: no cover - compiled
    starts: NDArray[Any],
    columns: NDArray[Any],
    stars: NDArray[Any],
    free: NDArray[Any],
    rows_out: NDArray[Any],
    stars_out: NDArray[Any],
) -> None:
    """Counting sort by column, stable, so that rows ascend within a column; what is aside stays so."""
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            column = columns[at]
            aside = column < 0
            column = ~column if aside else column
            to = free[column]
            free[column] = to + 1
            rows_out[to] = ~row if aside else row
            stars_out[to] = stars[at]


@compiled
def _solve(  # pragma: no cover - compiled
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    span: tuple[int, int],
    knobs: NDArray[Any],
    steps: int,
    fixed: tuple[NDArray[Any], NDArray[Any]],
    solved: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """Preconditioned conjugate gradient on (Σ q qᵀ + Λ) x = Σ q (r − μ − b), for the rows of ``span``.

    Vectors are (f + 1,): the factors and, last, the bias, whose entry of every q is 1.
    """
    starts, others, stars = rows
    bias, factors = solved
    mean, ridge, ridge_per_rating, damping = knobs
    size = factors.shape[1] + 1
    x, left, step, image, scale = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    for row in range(span[0], span[1]):
        mine = slice(starts[row], starts[row + 1])
        penalty = ridge + ridge_per_rating * np.float32(starts[row + 1] - starts[row])
        x[:-1] = factors[row]
        x[-1] = bias[row]
        _residual((others[mine], stars[mine]), mean, fixed, (penalty, damping), x, left, scale)
        gain = begin(left, scale, step)
        for _ in range(steps):
            if gain < LEAST_GAIN:
                break
            _product(others[mine], fixed[1], (penalty, damping), step, image)
            gain = advance(gain, image, scale, x, left, step)
        factors[row] = x[:-1]
        bias[row] = x[-1]


@compiled
def _residual(  # pragma: no cover - compiled
    rated: tuple[NDArray[Any], NDArray[Any]],
    mean: float,
    fixed: tuple[NDArray[Any], NDArray[Any]],
    penalties: tuple[float, float],
    x: NDArray[Any],
    left: NDArray[Any],
    scale: NDArray[Any],
) -> None:
    """Left = Σ q (r − μ − b − q · x) − Λx and scale = the diagonal of Σ q qᵀ + Λ."""
    others, stars = rated
    fixed_bias, fixed_factors = fixed
    width = len(x) - 1
    left[:-1] = -penalties[0] * x[:-1]
    left[-1] = -penalties[1] * x[-1]
    scale[:-1] = penalties[0]
    bias_left = np.float32(0.0)
    learned = 0
    for at in range(len(others)):
        if others[at] < 0:
            continue
        learned += 1
        q = fixed_factors[others[at]]
        error = stars[at] - mean - fixed_bias[others[at]] - x[width]
        for f in range(width):
            error -= wide(q[f]) * x[f]
        for f in range(width):
            value = wide(q[f])
            left[f] += error * value
            scale[f] += value * value
        bias_left += error
    left[-1] += bias_left
    scale[-1] = penalties[1] + np.float32(learned)


@compiled
def _product(  # pragma: no cover - compiled
    others: NDArray[Any],
    fixed_factors: NDArray[Any],
    penalties: tuple[float, float],
    step: NDArray[Any],
    image: NDArray[Any],
) -> None:
    """Image = (Σ q qᵀ + Λ) step."""
    width = len(step) - 1
    image[:-1] = penalties[0] * step[:-1]
    image[-1] = penalties[1] * step[-1]
    bias_image = np.float32(0.0)
    for at in range(len(others)):
        if others[at] < 0:
            continue
        q = fixed_factors[others[at]]
        product = step[width]
        for f in range(width):
            product += wide(q[f]) * step[f]
        for f in range(width):
            image[f] += product * wide(q[f])
        bias_image += product
    image[-1] += bias_image


@compiled
def _try_out(  # pragma: no cover - compiled
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    span: tuple[int, int],
    knobs: NDArray[Any],
    by: tuple[NDArray[Any], NDArray[Any]],
    of: tuple[NDArray[Any], NDArray[Any]],
    out: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> None:
    """Squared errors of the ratings learned from, summed up by row of ``span``, and each error of those aside."""
    starts, others, stars = rows
    (row_bias, row_factors), (bias, factors) = by, of
    squares, errors, places = out
    mean, low, high = knobs
    for row in range(span[0], span[1]):
        place = places[row]
        for at in range(starts[row], starts[row + 1]):
            aside = others[at] < 0
            other = ~others[at] if aside else others[at]
            expected = mean + row_bias[row] + bias[other]
            for f in range(factors.shape[1]):
                expected += row_factors[row, f] * factors[other, f]
            error = min(max(expected, low), high) - stars[at]
            if aside:
                errors[place] = error
                place += 1
            else:
                squares[row] += error * error
