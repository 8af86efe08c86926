"""One Markov chain over a Bayesian factorization machine of ratings, a sweep at a time.

r(u, m) ~ N(μ + b_u + b_m + p_u · q_m, 1 / (τ c_u)). A user's b_u and p_u are sums of weights: his own, that of his era,
and, over the root of their number, those of the *other* movies he rated. A movie's are the same of its own, its genres
and years, and the *other* users who rated it. Each group of weights has a normal prior per factor, whose mean and
precision are drawn too.

Sources: Rendle, Zhang & Koren 2019, "On the Difficulty of Evaluating Baselines" (implicit feedback in both directions);
Freudenthaler, Schmidt-Thieme & Rendle 2011 (the Gibbs sampler). Two things are ours. A row does not count itself among
its neighbours, because a row to be predicted is not among them either. And c_u gives each user a noise of his own,
because people are not equally consistent: c_u ~ Gamma(η/2, η/2), a Student-t likelihood that all rows of a user share.

Here: drawing samples. Not here: what the columns are (``design``), what is made of the samples (``bayes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.rating_prediction.design import Columns, Design, Side
from cinematch_assets.recommender.rating_prediction.rating_table import NOISE_FREEDOM

Wide = NDArray[np.float64]
Narrow = NDArray[np.float32]

INTERVAL = 0.8
"""The share of ratings that a predicted interval is meant to hold."""

FIRST_WEIGHTS = 0.1
"""Standard deviation of the weights that a chain starts from."""

BIAS_SCALE, FACTOR_SCALE = 0.5, 0.1
"""Sizes of the one weight that a group's prior imagines, about those of real weights.

With n weights no standard deviation gets far below scale / √(n + 1). With a scale of 1, eighteen genres had .23 in each
of twelve factors whatever the ratings said: on few ratings that is noise (docs/decisions/0050).
"""

FIRST_SCALE = 1.0
"""Size of it while a chain looks for its place: with priors that are small from the start, factors that are there stay
unfound for a hundred sweeps (docs/decisions/0050).
"""


class _Rows(NamedTuple):
    """The arrays of a ``Side`` that the loops read; unsigned, as numba checks whether a signed index is negative."""

    pointers: NDArray[np.int64]
    others: NDArray[np.uint32]
    mirror: NDArray[np.uint32]
    scale: Narrow


class _Sparse(NamedTuple):
    """The arrays of ``Columns``."""

    groups: NDArray[np.int64]
    pointers: NDArray[np.int64]
    entities: NDArray[np.int32]
    values: Narrow


class _Weights(NamedTuple):
    """Weights of one side, factor by factor; factor 0 is the bias. The same shapes hold normal draws."""

    own: Wide  # (k + 1, E)
    neighbours: Wide  # (k + 1, entities of the other side)
    columns: Wide  # (k + 1, columns)


class _Prior(NamedTuple):
    """Mean and precision of each group of weights, (2 + groups of columns, k + 1): own, neighbours, columns."""

    mean: Wide
    precision: Wide


class _Work(NamedTuple):
    """Room for one factor; what is fetched together lies together, as most of the time goes into fetching.

    A row's weight w is τ c_u, which is ``weight`` of its user; on the other side it is one.
    """

    rows: Narrow  # (n, 4): regressor x, e (what is not explained yet), w x, unused
    entities: Wide  # (E, 4): Σ w x², Σ w x e, how far the sum of weights has moved, scale
    weight: Wide  # (E,)
    other_weight: Wide  # (entities of the other side,)


@compiled
def _collect(rows: _Rows, other_scale: Narrow, other: Wide, neighbour: Wide, work: _Work) -> None:
    """Curvature and slope of each entity, seen through the other side's factor without the row's own part in it."""
    for entity in range(len(rows.pointers) - 1):
        curvature = slope = np.float64(0.0)
        for row in range(rows.pointers[entity], rows.pointers[entity + 1]):
            partner = rows.others[row]
            regressor = np.float32(other[partner] - other_scale[partner] * neighbour[entity])
            pull = np.float32(work.weight[entity] * work.other_weight[partner] * regressor)
            work.rows[row, 0] = regressor
            work.rows[row, 2] = pull
            curvature += pull * regressor
            slope += pull * work.rows[row, 1]
        work.entities[entity, 0] = curvature
        work.entities[entity, 1] = slope
        work.entities[entity, 2] = 0.0
        work.entities[entity, 3] = rows.scale[entity]


@compiled
def _draw_own(weights: Wide, draws: Wide, mean: float, precision: float, work: _Work) -> None:
    """Each entity's own weight, given all else."""
    for entity in range(len(weights)):
        curvature, slope = work.entities[entity, 0], work.entities[entity, 1]
        sharp = curvature + precision
        old = weights[entity]
        new = (slope + old * curvature + precision * mean) / sharp + draws[entity] / np.sqrt(sharp)
        weights[entity] = new
        work.entities[entity, 1] -= (new - old) * curvature
        work.entities[entity, 2] += new - old


@compiled
def _draw_neighbours(
    rows: _Rows, other: _Rows, weights: Wide, draws: Wide, mean: float, precision: float, work: _Work
) -> None:
    """What it says of an entity that it has a row with j, for each j of the other side; j's own rows are left out."""
    for j in range(len(weights)):
        start, stop = other.pointers[j], other.pointers[j + 1]
        old = weights[j]
        curvature, slope = 0.0, 0.0
        for place in range(start, stop):
            row, entity = work.rows[rows.mirror[place]], work.entities[other.others[place]]
            left = row[1] - row[0] * entity[2]
            curvature += entity[3] * entity[3] * (entity[0] - row[2] * row[0])
            slope += entity[3] * (entity[1] - row[2] * left)
        sharp = curvature + precision
        new = (slope + old * curvature + precision * mean) / sharp + draws[j] / np.sqrt(sharp)
        weights[j] = new
        for place in range(start, stop):
            row, entity = work.rows[rows.mirror[place]], work.entities[other.others[place]]
            step = entity[3] * (new - old)
            entity[1] -= step * (entity[0] - row[2] * row[0])
            entity[2] += step
            row[1] += row[0] * step


@compiled
def _draw_columns(sparse: _Sparse, weights: Wide, draws: Wide, mean: Wide, precision: Wide, work: _Work) -> None:
    """The weight of each describing column; ``mean`` and ``precision`` have one number per group."""
    for group in range(len(sparse.groups) - 1):
        for column in range(sparse.groups[group], sparse.groups[group + 1]):
            start, stop = sparse.pointers[column], sparse.pointers[column + 1]
            old = weights[column]
            curvature, slope = 0.0, 0.0
            for place in range(start, stop):
                x = sparse.values[place]
                curvature += x * x * work.entities[sparse.entities[place], 0]
                slope += x * work.entities[sparse.entities[place], 1]
            sharp = curvature + precision[group]
            new = (slope + old * curvature + precision[group] * mean[group]) / sharp + draws[column] / np.sqrt(sharp)
            weights[column] = new
            for place in range(start, stop):
                entity, step = work.entities[sparse.entities[place]], sparse.values[place] * (new - old)
                entity[1] -= step * entity[0]
                entity[2] += step


@compiled
def _settle(rows: _Rows, total: Wide, work: _Work) -> None:
    """Take what each entity's sum of weights has moved by out of the residuals of its rows, and into the sum."""
    for entity in range(len(total)):
        moved = work.entities[entity, 2]
        total[entity] += moved
        for row in range(rows.pointers[entity], rows.pointers[entity + 1]):
            work.rows[row, 1] -= work.rows[row, 0] * moved


@compiled
def _add_neighbours(rows: _Rows, weights: Wide, total: Wide) -> None:
    """Add each entity's scaled sum of its neighbours' weights, factor by factor."""
    for factor in range(len(weights)):
        for entity in range(len(rows.pointers) - 1):
            known = 0.0
            for row in range(rows.pointers[entity], rows.pointers[entity + 1]):
                known += weights[factor, rows.others[row]]
            total[factor, entity] += rows.scale[entity] * known


@compiled
def _sweep_side(
    rows: _Rows,
    other: _Rows,
    sparse: _Sparse,
    weights: _Weights,
    draws: _Weights,
    prior: _Prior,
    totals: Wide,
    other_totals: Wide,
    other_neighbours: Wide,
    work: _Work,
) -> None:
    """Draw all weights of one side; ``totals`` (k + 1, E) are kept as their sums, ``work.rows`` hold what is left.

    Through the other side a bias is a factor of ones to which neighbours add nothing.
    """
    ones = np.ones(other_totals.shape[1])
    nothing = np.zeros(totals.shape[1])
    for factor in range(len(totals)):
        seen = ones if factor == 0 else other_totals[factor]
        neighbour = nothing if factor == 0 else other_neighbours[factor]
        mean, precision = prior.mean[:, factor].copy(), prior.precision[:, factor].copy()
        _collect(rows, other.scale, seen, neighbour, work)
        _draw_own(weights.own[factor], draws.own[factor], mean[0], precision[0], work)
        _draw_neighbours(rows, other, weights.neighbours[factor], draws.neighbours[factor], mean[1], precision[1], work)
        _draw_columns(sparse, weights.columns[factor], draws.columns[factor], mean[2:], precision[2:], work)
        _settle(rows, totals[factor], work)


@dataclass(frozen=True, slots=True)
class Sample:
    """One draw: factor 0 is the bias. ``users`` (k + 1, U + 1), ``movies`` (k + 1, M + 1), ``user_noise`` (U + 1,)."""

    mean: float
    users: Narrow
    movies: Narrow
    user_precision: Narrow  # τ c_u, one over the variance of a rating around its expectation
    half_width: float  # the share INTERVAL of residuals is within so many of their standard deviations


class _SideState:
    """One side's state in a chain."""

    def __init__(self, side: Side, other: Side, factors: int, rng: np.random.Generator) -> None:
        self.rows = _Rows(side.pointers, side.others.view(np.uint32), side.mirror.view(np.uint32), side.scale)
        self.sparse = _as_tuple(side.columns)
        self.groups = np.concatenate([[0, side.entities, side.entities + other.entities]])
        self.groups = np.append(self.groups, self.groups[-1] + side.columns.groups[1:])
        self.flat = rng.standard_normal((factors + 1, int(self.groups[-1]))) * FIRST_WEIGHTS
        self.flat[0] = 0.0
        self.weights = self.parts(self.flat)
        self.prior = _Prior(
            np.zeros((len(self.groups) - 1, factors + 1)), np.full((len(self.groups) - 1, factors + 1), 10.0)
        )
        self.totals = self._sums(side)
        n, entities = len(side.others), side.entities
        self.work = _Work(
            rows=np.zeros((n, 4), np.float32),
            entities=np.zeros((entities, 4)),
            weight=np.ones(entities),
            other_weight=np.ones(other.entities),
        )

    def parts(self, flat: Wide) -> _Weights:
        """Weights, or draws, of the three kinds out of one array (k + 1, all of them)."""
        own, neighbours = self.groups[1], self.groups[2]
        pieces = flat[:, :own], flat[:, own:neighbours], flat[:, neighbours:]
        return _Weights(*(np.ascontiguousarray(piece) for piece in pieces))

    def _sums(self, side: Side) -> Wide:
        totals = self.weights.own.copy()
        _add_neighbours(self.rows, self.weights.neighbours, totals)
        column_of_entry = np.repeat(np.arange(len(side.columns.pointers) - 1), np.diff(side.columns.pointers))
        for factor in range(len(totals)):
            described = side.columns.values * self.weights.columns[factor][column_of_entry]
            totals[factor] += np.bincount(side.columns.entities, described, side.entities)
        return totals

    def asked(self) -> Narrow:
        """Sums of weights, (k + 1, E), with the neighbours over √n: between them training rows are over √(n - 1)."""
        neighbours = np.zeros_like(self.totals)
        _add_neighbours(self.rows, self.weights.neighbours, neighbours)
        rows = np.maximum(np.diff(self.rows.pointers), 1)
        surplus = 1.0 - np.sqrt(np.maximum(rows - 1, 1) / rows)
        return np.asarray(self.totals - surplus * neighbours, np.float32)

    def draw_prior(self, rng: np.random.Generator, *, settled: bool) -> None:
        """Mean and precision λ of each group, together, given its weights; biases have a mean of 0.

        Before any weight is seen λ ~ Gamma(1/2, scale² / 2) and the mean ~ N(0, 1 / λ) (Bishop 2006, eq. 2.154).
        """
        everything = np.concatenate(self.weights, axis=1)
        imagined = np.full(len(everything), FACTOR_SCALE**2 if settled else FIRST_SCALE**2)
        imagined[0] = BIAS_SCALE**2 if settled else FIRST_SCALE**2
        for group, (start, stop) in enumerate(zip(self.groups[:-1], self.groups[1:], strict=True)):
            weights, size = everything[:, start:stop], int(stop - start)
            centre = weights.sum(axis=1) / (size + 1)
            centre[0] = 0.0
            off = (weights**2).sum(axis=1) - (size + 1) * centre**2
            precision = rng.gamma((1.0 + size) / 2.0, size=len(weights)) / ((imagined + off) / 2.0)
            mean = centre + rng.standard_normal(len(weights)) / np.sqrt(precision * (size + 1))
            mean[0] = 0.0
            self.prior.precision[group], self.prior.mean[group] = precision, mean


class Chain:
    """A chain with random numbers of its own: what it draws depends on the design, ``factors`` and ``seed`` only."""

    def __init__(self, design: Design, factors: int, seed: np.random.SeedSequence) -> None:
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._users = _SideState(design.users, design.movies, factors, self._rng)
        self._movies = _SideState(design.movies, design.users, factors, self._rng)
        self._to_movies = design.users.mirror
        self._user_of_row = np.repeat(np.arange(design.users.entities), np.diff(design.users.pointers))
        self._rows_of_user = np.diff(design.users.pointers)
        self._consistency = np.ones(design.users.entities)
        self._mean = float(design.ratings.mean(dtype=np.float64))
        self._precision = 1.0 / max(float(design.ratings.var(dtype=np.float64)), 1e-6)
        self._users.work.rows[:, 1] = design.ratings - self._expected(design)

    def sweep(self, *, settled: bool = True) -> None:
        """Draw everything once, given the rest; until a chain is ``settled``, under wider priors."""
        self._draw_noise()
        self._users.draw_prior(self._rng, settled=settled)
        self._movies.draw_prior(self._rng, settled=settled)
        self._draw_mean()
        self._sweep(self._users, self._movies)
        left, by_movie = self._users.work.rows[:, 1], self._movies.work.rows[:, 1]
        by_movie[:] = left[self._to_movies]
        self._sweep(self._movies, self._users)
        left[self._to_movies] = by_movie

    def sample(self) -> Sample:
        """What the last sweep says of pairs without a rating, to which all n rows of an entity are neighbours."""
        return Sample(
            mean=self._mean,
            users=self._users.asked(),
            movies=self._movies.asked(),
            user_precision=(self._precision * self._consistency).astype(np.float32),
            half_width=self._half_width(),
        )

    def _half_width(self) -> float:
        """Residuals are more peaked than a normal distribution, so the interval's width is read off, not looked up."""
        work = self._users.work
        return float(np.quantile(np.abs(work.rows[:, 1]) * np.sqrt(work.weight)[self._user_of_row], INTERVAL))

    def _draw_noise(self) -> None:
        per_user = self._per_user(np.square(self._users.work.rows[:, 1], dtype=np.float64))
        shape = (NOISE_FREEDOM + self._rows_of_user) / 2.0
        self._consistency = self._rng.gamma(shape) / ((NOISE_FREEDOM + self._precision * per_user) / 2.0)
        total = float((self._consistency * per_user).sum())
        self._precision = float(self._rng.gamma((1.0 + len(self._user_of_row)) / 2.0) / ((1.0 + total) / 2.0))
        self._users.work.weight[:] = self._movies.work.other_weight[:] = self._precision * self._consistency

    def _draw_mean(self) -> None:
        work = self._users.work
        sharp = float(self._rows_of_user @ work.weight)
        step = float(self._per_user(work.rows[:, 1]) @ work.weight) / sharp
        step += float(self._rng.standard_normal()) / np.sqrt(sharp)
        self._mean += step
        work.rows[:, 1] -= np.float32(step)

    def _per_user(self, values: NDArray[np.floating[Any]]) -> Wide:
        """Sums of (n,) over the rows of each user."""
        return np.asarray(np.bincount(self._user_of_row, values, len(self._consistency)), np.float64)

    def _sweep(self, side: _SideState, other: _SideState) -> None:
        draws = side.parts(self._rng.standard_normal(side.flat.shape))
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

    def _expected(self, design: Design) -> Wide:
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
