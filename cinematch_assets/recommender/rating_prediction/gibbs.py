"""One Markov chain (Gibbs sampler) over a Bayesian factorization machine of ratings, a sweep at a time.

r(u, m) ~ N(μ + b_u + b_m + p_u · q_m, 1 / (τ c_u)). A user's b_u and p_u are sums of weights: the user's own, that of
their era, and, over the root of their number, those of the *other* movies they rated. A movie's are the same of its
own, its genres and years, and the *other* users who rated it. Each group of weights has a normal prior per factor,
whose mean and precision are drawn too.

Sources: Rendle, Zhang & Koren 2019, "On the Difficulty of Evaluating Baselines" (implicit feedback in both directions);
Freudenthaler, Schmidt-Thieme & Rendle 2011 (the Gibbs sampler). Two things are ours. A row is not counted among its own
neighbours, because a row to be predicted is not among them either. And c_u gives each user a noise of their own,
because people are not equally consistent: c_u ~ Gamma(η/2, η/2), a Student-t likelihood that all rows of a user share.

Here: drawing samples. Not here: the columns (``design``), what becomes of the samples (``bayesian_fm``). Importing this
module loads numba.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import F64, Floats
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.rating_prediction.design import Columns, Design, Side
from cinematch_assets.recommender.rating_prediction.rating_table import INTERVAL_SHARE, NOISE_PSEUDO_RATINGS

INITIAL_STD = 0.1
"""Standard deviation of the weights that a chain starts from."""

BIAS_SCALE, FACTOR_SCALE = 0.5, 0.1
"""Prior scale of a group's biases and factors: its pseudo-observation, of about the size of real weights.

With n weights no standard deviation gets far below scale / √(n + 1). With a scale of 1, eighteen genres had .23 in each
of twelve factors whatever the ratings said: on few ratings that is noise (docs/decisions/0050).
"""

BROAD_SCALE = 1.0
"""Prior scale early in burn-in: under priors that are small from the start, factors that are in the data stay
undiscovered for a hundred sweeps (docs/decisions/0050).
"""


class _Rows(NamedTuple):
    """The arrays of a ``Side`` that kernels read; unsigned, as numba tests signed indices for being negative."""

    pointers: NDArray[np.int64]
    others: NDArray[np.uint32]
    scale: Floats


class _Sparse(NamedTuple):
    """The arrays of ``Columns``."""

    groups: NDArray[np.int64]
    pointers: NDArray[np.int64]
    entities: NDArray[np.int32]
    values: Floats


class _Weights(NamedTuple):
    """Weights of one side, factor by factor; factor 0 is the bias."""

    own: F64  # (k + 1, E)
    neighbours: F64  # (k + 1, entities of the other side)
    columns: F64  # (k + 1, columns)


class _Draws(NamedTuple):
    """Standard normal draws in the shapes of ``_Weights``."""

    own: Floats
    neighbours: Floats
    columns: Floats


class _Prior(NamedTuple):
    """Mean and precision of each group of weights, (2 + groups of columns, k + 1): own, neighbours, columns."""

    mean: F64
    precision: F64


class _Work(NamedTuple):
    """Working arrays of one side; rows are in the order of the *other* side, so that kernels read them in sequence.

    With all other weights given, a rating is x · (weight of this factor) + e, and has precision w = τ c_u. What is
    known of an entity is one record of 32 bytes, as most of the time goes into reading them.
    """

    residuals: Floats  # (n,) e
    regressors: Floats  # (n,) x
    entities: Floats  # (E, 8), see the constants below
    other_precision: Floats  # (entities of the other side,) w, 1 where it belongs to this side's entities


CURVATURE, GRADIENT, CHANGE, SCALE, PRECISION, PARTNER, LAST_CHANGE = range(7)
"""Columns of ``_Work.entities``.

In their order: Σ w x², Σ w x e, the change of the sum of weights, ``Side.scale``, w (1 where it belongs to the other
side), the weight that the entity has as a neighbour of the other side, the change for the last factor.
"""


@compiled
def _begin_factor(rows: _Rows, neighbour: F64, work: _Work) -> None:
    """Clear each entity's sums for the next factor, and keep its change for the last one."""
    for entity in range(len(rows.scale)):
        record = work.entities[entity]
        record[LAST_CHANGE] = record[CHANGE]
        record[CURVATURE] = record[GRADIENT] = record[CHANGE] = np.float32(0.0)
        record[PARTNER] = np.float32(neighbour[entity])


@compiled
def _collect(other: _Rows, factor: F64, work: _Work) -> None:
    """Take the last factor's change out of the residuals, and sum curvature and gradient of each entity for this one.

    x is the other side's factor without what this entity contributes to it as one of its neighbours.
    """
    for j in range(len(factor)):
        value, scale, precision = np.float32(factor[j]), other.scale[j], work.other_precision[j]
        for cell in range(other.pointers[j], other.pointers[j + 1]):
            record = work.entities[other.others[cell]]
            residual = work.residuals[cell] - work.regressors[cell] * record[LAST_CHANGE]
            regressor = value - scale * record[PARTNER]
            weighted = precision * record[PRECISION] * regressor
            record[CURVATURE] += weighted * regressor
            record[GRADIENT] += weighted * residual
            work.residuals[cell] = residual
            work.regressors[cell] = regressor


@compiled
def _draw_own(weights: F64, draws: Floats, mean: float, precision: float, work: _Work) -> None:
    """Draw each entity's own weight given all else: a normal with precision Σ w x² + λ."""
    for entity in range(len(weights)):
        record = work.entities[entity]
        curvature, gradient = np.float64(record[CURVATURE]), np.float64(record[GRADIENT])
        posterior = curvature + precision
        old = weights[entity]
        new = (gradient + old * curvature + precision * mean) / posterior + draws[entity] / np.sqrt(posterior)
        weights[entity] = new
        # The residuals of its rows fall by x · (new − old), and with them the gradient.
        record[GRADIENT] -= np.float32((new - old) * curvature)
        record[CHANGE] += np.float32(new - old)


@compiled
def _draw_neighbours(other: _Rows, weights: F64, draws: Floats, mean: float, precision: float, work: _Work) -> None:
    """Draw, for each entity j of the other side, the weight that entities with a row of j share as its neighbours.

    It enters their sums times ``scale``, but not in j's own rows, which are taken out of curvature and gradient.
    """
    for j in range(len(weights)):
        start, stop = other.pointers[j], other.pointers[j + 1]
        old, own_precision = weights[j], work.other_precision[j]
        # Σ over j's entities of their curvature and gradient, each without their row with j.
        curvature, gradient = np.float64(0.0), np.float64(0.0)
        for cell in range(start, stop):
            record, regressor = work.entities[other.others[cell]], work.regressors[cell]
            residual = work.residuals[cell] - regressor * record[CHANGE]
            weighted = own_precision * record[PRECISION] * regressor
            curvature += record[SCALE] * record[SCALE] * (record[CURVATURE] - weighted * regressor)
            gradient += record[SCALE] * (record[GRADIENT] - weighted * residual)
        posterior = curvature + precision
        new = (gradient + old * curvature + precision * mean) / posterior + draws[j] / np.sqrt(posterior)
        weights[j] = new
        difference = np.float32(new - old)
        # Pass the change on to the gradients and sums; j's own row is corrected for it, as its residual must not move.
        for cell in range(start, stop):
            record, regressor = work.entities[other.others[cell]], work.regressors[cell]
            change = record[SCALE] * difference
            weighted = own_precision * record[PRECISION] * regressor
            record[GRADIENT] -= change * (record[CURVATURE] - weighted * regressor)
            record[CHANGE] += change
            work.residuals[cell] += regressor * change


@compiled
def _draw_columns(sparse: _Sparse, weights: F64, draws: Floats, mean: F64, precision: F64, work: _Work) -> None:
    """Draw the weight of each describing column; ``mean`` and ``precision`` have one number per group."""
    for group in range(len(sparse.groups) - 1):
        for column in range(sparse.groups[group], sparse.groups[group + 1]):
            start, stop = sparse.pointers[column], sparse.pointers[column + 1]
            old = weights[column]
            # Σ v² · curvature and Σ v · gradient over the column's entities, with values v.
            curvature, gradient = np.float64(0.0), np.float64(0.0)
            for cell in range(start, stop):
                value, record = sparse.values[cell], work.entities[sparse.entities[cell]]
                curvature += value * value * record[CURVATURE]
                gradient += value * record[GRADIENT]
            posterior = curvature + precision[group]
            centre = gradient + old * curvature + precision[group] * mean[group]
            new = centre / posterior + draws[column] / np.sqrt(posterior)
            weights[column] = new
            difference = np.float32(new - old)
            # Pass the change on to the gradients and sums.
            for cell in range(start, stop):
                record, change = work.entities[sparse.entities[cell]], sparse.values[cell] * difference
                record[GRADIENT] -= change * record[CURVATURE]
                record[CHANGE] += change


@compiled
def _end_factor(total: F64, work: _Work) -> None:
    """Add the change of each entity's sum of weights to the sum."""
    for entity in range(len(total)):
        total[entity] += work.entities[entity, CHANGE]


@compiled
def _settle(other: _Rows, work: _Work) -> None:
    """Take the change for the last factor out of the residuals."""
    for cell in range(len(work.residuals)):
        work.residuals[cell] -= work.regressors[cell] * work.entities[other.others[cell], CHANGE]
    for entity in range(len(work.entities)):
        work.entities[entity, CHANGE] = np.float32(0.0)


@compiled
def _add_neighbours(rows: _Rows, weights: F64, total: F64) -> None:
    """Add each entity's scaled sum of its neighbours' weights, factor by factor."""
    for factor in range(len(weights)):
        for entity in range(len(rows.pointers) - 1):
            neighbours = 0.0
            for row in range(rows.pointers[entity], rows.pointers[entity + 1]):
                neighbours += weights[factor, rows.others[row]]
            total[factor, entity] += rows.scale[entity] * neighbours


@compiled
def _sweep_side(
    rows: _Rows,
    other: _Rows,
    sparse: _Sparse,
    weights: _Weights,
    draws: _Draws,
    prior: _Prior,
    totals: F64,
    other_totals: F64,
    other_neighbours: F64,
    work: _Work,
) -> None:
    """Draw all weights of one side; keeps ``totals`` (k + 1, E) their sums and ``work.residuals`` the residuals.

    The regressor of a bias is one: a factor of ones on the other side, to which neighbours contribute nothing.
    """
    ones = np.ones(other_totals.shape[1])
    nothing = np.zeros(totals.shape[1])
    for factor in range(len(totals)):
        regressors = ones if factor == 0 else other_totals[factor]
        neighbour = nothing if factor == 0 else other_neighbours[factor]
        mean, precision = prior.mean[:, factor].copy(), prior.precision[:, factor].copy()
        _begin_factor(rows, neighbour, work)
        _collect(other, regressors, work)
        _draw_own(weights.own[factor], draws.own[factor], mean[0], precision[0], work)
        _draw_neighbours(other, weights.neighbours[factor], draws.neighbours[factor], mean[1], precision[1], work)
        _draw_columns(sparse, weights.columns[factor], draws.columns[factor], mean[2:], precision[2:], work)
        _end_factor(totals[factor], work)
    _settle(other, work)


@dataclass(frozen=True, slots=True)
class Sample:
    """One draw: ``users`` (k + 1, U + 1) and ``movies`` (k + 1, M + 1), of which factor 0 is the bias.

    ``user_precision`` (U + 1,) is τ c_u, one over the variance of a rating around its expectation.
    ``half_width``: INTERVAL_SHARE of the residuals are within this many of their standard deviations.
    """

    mean: float
    users: Floats
    movies: Floats
    user_precision: Floats
    half_width: float


class _SideState:
    """The state of one side, users or movies, in a chain."""

    def __init__(self, side: Side, other: Side, factors: int, rng: np.random.Generator) -> None:
        self.rows = _Rows(side.pointers, side.others.view(np.uint32), side.scale)
        self.sparse = _as_tuple(side.columns)
        self.groups = np.concatenate([[0, side.entities, side.entities + other.entities]])
        self.groups = np.append(self.groups, self.groups[-1] + side.columns.groups[1:])
        self.flat = rng.standard_normal((factors + 1, int(self.groups[-1]))) * INITIAL_STD
        self.flat[0] = 0.0
        self.weights = _Weights(*self.split(self.flat))
        self.prior = _Prior(
            np.zeros((len(self.groups) - 1, factors + 1)), np.full((len(self.groups) - 1, factors + 1), 10.0)
        )
        self.totals = self._sums(side)
        n = len(side.others)
        records = np.zeros((side.entities, 8), np.float32)
        records[:, SCALE], records[:, PRECISION] = side.scale, 1.0
        self.work = _Work(
            residuals=np.zeros(n, np.float32),
            regressors=np.zeros(n, np.float32),
            entities=records,
            other_precision=np.ones(other.entities, np.float32),
        )

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Weights, or draws, of the three kinds out of one array (k + 1, all of them)."""
        own, neighbours = self.groups[1], self.groups[2]
        pieces = flat[:, :own], flat[:, own:neighbours], flat[:, neighbours:]
        return [np.ascontiguousarray(piece) for piece in pieces]

    def _sums(self, side: Side) -> F64:
        """Sums of weights, (k + 1, E), from scratch."""
        totals = self.weights.own.copy()
        _add_neighbours(self.rows, self.weights.neighbours, totals)
        column_of_cell = np.repeat(np.arange(len(side.columns.pointers) - 1), np.diff(side.columns.pointers))
        for factor in range(len(totals)):
            described = side.columns.values * self.weights.columns[factor][column_of_cell]
            totals[factor] += np.bincount(side.columns.entities, described, side.entities)
        return totals

    def prediction_sums(self) -> Floats:
        """Sums of weights, (k + 1, E), for new pairs: neighbours over √n, which for training rows are over √(n - 1)."""
        neighbours = np.zeros_like(self.totals)
        _add_neighbours(self.rows, self.weights.neighbours, neighbours)
        rows = np.maximum(np.diff(self.rows.pointers), 1)
        surplus = 1.0 - np.sqrt(np.maximum(rows - 1, 1) / rows)
        return np.asarray(self.totals - surplus * neighbours, np.float32)

    def draw_prior(self, rng: np.random.Generator, *, broad: bool) -> None:
        """Draw mean and precision λ of each group, jointly, given its weights; biases have a mean of 0.

        The hyperprior is λ ~ Gamma(1/2, scale² / 2), and N(0, 1 / λ) for the mean (Bishop 2006, eq. 2.154).
        """
        weights_of_all = np.concatenate(self.weights, axis=1)
        squared_scale = np.full(len(weights_of_all), BROAD_SCALE**2 if broad else FACTOR_SCALE**2)
        squared_scale[0] = BROAD_SCALE**2 if broad else BIAS_SCALE**2
        for group, (start, stop) in enumerate(zip(self.groups[:-1], self.groups[1:], strict=True)):
            weights, size = weights_of_all[:, start:stop], int(stop - start)
            centre = weights.sum(axis=1) / (size + 1)
            centre[0] = 0.0
            squares = (weights**2).sum(axis=1) - (size + 1) * centre**2
            precision = rng.gamma((1.0 + size) / 2.0, size=len(weights)) / ((squared_scale + squares) / 2.0)
            mean = centre + rng.standard_normal(len(weights)) / np.sqrt(precision * (size + 1))
            mean[0] = 0.0
            self.prior.precision[group], self.prior.mean[group] = precision, mean


class Chain:
    """A Markov chain: what it draws depends on the design, ``factors`` and ``rng`` only."""

    def __init__(self, design: Design, factors: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._users = _SideState(design.users, design.movies, factors, self._rng)
        self._movies = _SideState(design.movies, design.users, factors, self._rng)
        self._to_movies = design.users.mirror
        self._user_of_row = np.repeat(np.arange(design.users.entities), np.diff(design.users.pointers))
        self._rows_of_user = np.diff(design.users.pointers)
        self._consistency = np.ones(design.users.entities)  # c_u
        self._mean = float(design.ratings.mean(dtype=np.float64))  # μ
        self._precision = 1.0 / max(float(design.ratings.var(dtype=np.float64)), 1e-6)  # τ
        # The residuals of the movies' draws are in the order of the users, and between sweeps they are the newest.
        self._residuals = self._movies.work.residuals
        self._residuals[:] = design.ratings - self._expected(design)

    def sweep(self, *, broad_priors: bool = False) -> None:
        """Draw every variable once, given the others; ``broad_priors`` are for the first part of burn-in."""
        self._draw_noise()
        self._users.draw_prior(self._rng, broad=broad_priors)
        self._movies.draw_prior(self._rng, broad=broad_priors)
        self._draw_mean()
        by_movie = self._users.work.residuals
        by_movie[:] = self._residuals[self._to_movies]
        self._sweep(self._users, self._movies)
        self._residuals[self._to_movies] = by_movie
        self._sweep(self._movies, self._users)

    def sample(self) -> Sample:
        """The last sweep as a sample for pairs without a rating, to which all n rows of an entity are neighbours."""
        return Sample(
            mean=self._mean,
            users=self._users.prediction_sums(),
            movies=self._movies.prediction_sums(),
            user_precision=(self._precision * self._consistency).astype(np.float32),
            half_width=self._half_width(),
        )

    def _half_width(self) -> float:
        """The interval's half-width is a quantile of residuals, which are more peaked than a normal distribution."""
        precision = self._precision * self._consistency
        standardized = np.abs(self._residuals) * np.sqrt(precision)[self._user_of_row]
        return float(np.quantile(standardized, INTERVAL_SHARE))

    def _draw_noise(self) -> None:
        """Draw c_u and τ given the residuals: gamma posteriors."""
        per_user = self._per_user(np.square(self._residuals, dtype=np.float64))
        shape = (NOISE_PSEUDO_RATINGS + self._rows_of_user) / 2.0
        self._consistency = self._rng.gamma(shape) / ((NOISE_PSEUDO_RATINGS + self._precision * per_user) / 2.0)
        total = float((self._consistency * per_user).sum())
        self._precision = float(self._rng.gamma((1.0 + len(self._user_of_row)) / 2.0) / ((1.0 + total) / 2.0))
        precision = self._precision * self._consistency
        self._users.work.entities[:, PRECISION] = self._movies.work.other_precision[:] = precision

    def _draw_mean(self) -> None:
        """Draw μ given all else: a normal with precision Σ τ c_u, under a flat prior."""
        precision = self._precision * self._consistency
        posterior = float(self._rows_of_user @ precision)
        change = float(self._per_user(self._residuals) @ precision) / posterior
        change += float(self._rng.standard_normal()) / np.sqrt(posterior)
        self._mean += change
        self._residuals -= np.float32(change)

    def _per_user(self, values: NDArray[np.floating[Any]]) -> F64:
        """Sums of (n,) over the rows of each user."""
        return np.asarray(np.bincount(self._user_of_row, values, len(self._consistency)), np.float64)

    def _sweep(self, side: _SideState, other: _SideState) -> None:
        draws = _Draws(*side.split(self._rng.standard_normal(side.flat.shape, dtype=np.float32)))
        _sweep_side(
            side.rows,
            other.rows,
            side.sparse,
            side.weights,
            draws,
            side.prior,
            side.totals,
            other.totals,
            other.weights.neighbours,
            side.work,
        )

    def _expected(self, design: Design) -> F64:
        """Expectation of each training row, in the users' order, without its own part in the neighbours' sums."""
        u, m = self._user_of_row, design.users.others
        users, movies = self._users, self._movies
        out = np.full(len(u), self._mean)
        for factor in range(len(users.totals)):
            p = users.totals[factor][u] - design.users.scale[u] * users.weights.neighbours[factor][m]
            q = movies.totals[factor][m] - design.movies.scale[m] * movies.weights.neighbours[factor][u]
            out += p + q if factor == 0 else p * q
        return out


def _as_tuple(columns: Columns) -> _Sparse:
    return _Sparse(columns.groups, columns.pointers, columns.entities, columns.values)
