"""Ratings by a Bayesian factorization machine: the average of many samples, as one table of stars.

Here: chains side by side, their average in few factors, the spread of a prediction. Not here: how a sample is drawn
(``gibbs``), the columns (``design``), prediction (``table``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.rating_prediction.cold_start import lean_on_descriptions
from cinematch_assets.recommender.rating_prediction.design import Design, build_design
from cinematch_assets.recommender.rating_prediction.gibbs import Chain, Sample
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

OVERSAMPLING = 8
POWER_STEPS = 2
TRAINING_PAIRS = 40_000
PAIRS_PER_USER = 12
PAIRS_PER_MOVIE = 4
VARIANCE_ROUNDS = 5

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BayesPlan:
    """How long to sample: ``chains`` of ``sweeps`` each, of which the first ``burn_in`` are forgotten.

    Of what is left every ``thinning``-th is kept; their average is stored with ``rank`` factors.
    """

    factors: int
    chains: int
    sweeps: int
    burn_in: int
    thinning: int
    rank: int

    def __str__(self) -> str:
        return f"{self.chains} chains of {self.sweeps} sweeps with {self.factors} factors"


def plan_for(rows: int, config: RecommenderConfig) -> BayesPlan:
    """The configured plan, with fewer and shorter chains when there are so many rows that it would cost too much.

    With more rows a sample is sharper, so that fewer of them say as much; but a chain takes as long to find its place.
    """
    chains = min(config.chains, max(2, config.max_row_sweeps // max(1, rows * config.sweeps)))
    sweeps = min(config.sweeps, max(config.min_sweeps, config.max_row_sweeps // max(1, rows * chains)))
    burn_in = min(config.burn_in, sweeps // 3)
    return BayesPlan(config.factors, chains, sweeps, burn_in, config.thinning, config.rank)


def fit_bayes(
    train: Ratings, catalogue: Catalogue, plan: BayesPlan, seed: int, report: Callable[[float], None]
) -> RatingTable:
    """Sample, average and summarize; ``train`` has each (user, movie) once. ``report`` is told the share done.

    Chains are independent and averaged in their own order, and the linear algebra runs on one thread: the result
    does not depend on how many threads there are.
    """
    users = np.unique(train.users)
    movies = np.union1d(train.movies, catalogue.movies).astype(np.int32)
    design = build_design(train, users, movies, catalogue)
    samples = _run_chains(design, plan, seed, report)
    rng = np.random.default_rng(np.random.SeedSequence([seed, plan.chains]))
    with threadpool_limits(limits=1):
        user_factors, movie_factors = _average_product(samples, plan.rank, rng)
    user_variance, movie_variance = _variances(samples, design, rng)
    user_noise = 1.0 / np.asarray(np.mean([sample.user_precision for sample in samples], axis=0, dtype=np.float64))
    noise = float(user_noise[:-1].mean())
    table = RatingTable(
        mean=float(np.mean([sample.mean for sample in samples])),
        low=float(train.ratings.min()),
        high=float(train.ratings.max()),
        noise=noise,
        half_width=float(np.mean([sample.half_width for sample in samples])),
        users=users,
        movies=movies,
        user_bias=_mean_bias([sample.users for sample in samples]),
        movie_bias=_mean_bias([sample.movies for sample in samples]),
        user_factors=user_factors,
        movie_factors=movie_factors,
        user_variance=(user_noise - noise + user_variance).astype(np.float32),
        movie_variance=movie_variance.astype(np.float32),
        user_rated=np.diff(design.users.pointers) > 0,
        movie_rated=np.diff(design.movies.pointers) > 0,
        user_choice=np.zeros(len(users) + 1, np.float32),
        movie_choice=np.zeros(len(movies) + 1, np.float32),
    )
    with threadpool_limits(limits=1):
        return lean_on_descriptions(table, train, catalogue)


def _run_chains(design: Design, plan: BayesPlan, seed: int, report: Callable[[float], None]) -> list[Sample]:
    """Samples of all chains, chain by chain."""
    done = [0] * plan.chains

    def run(number: int) -> list[Sample]:
        chain = Chain(design, plan.factors, np.random.SeedSequence([seed, number]))
        kept = []
        for sweep in range(plan.sweeps):
            chain.sweep(settled=sweep >= plan.burn_in // 2)
            if sweep >= plan.burn_in and (sweep - plan.burn_in) % plan.thinning == 0:
                kept.append(chain.sample())
            done[number] = sweep + 1
        return kept

    with ThreadPoolExecutor(max_workers=min(plan.chains, os.cpu_count() or 1), thread_name_prefix="chain") as pool:
        running = [pool.submit(run, number) for number in range(plan.chains)]
        _watch(running, lambda: report(sum(done) / (plan.chains * plan.sweeps)))
        return [sample for chain in running for sample in chain.result()]


def _watch(running: Sequence[Future[list[Sample]]], tell: Callable[[], None], every_s: float = 0.2) -> None:
    """Report from the calling thread until all chains have ended."""
    waiting: set[Future[list[Sample]]] = set(running)
    while waiting:
        waiting = wait(waiting, timeout=every_s).not_done
        tell()


def _mean_bias(totals: Sequence[Array]) -> Array:
    return np.asarray(np.mean([total[0] for total in totals], axis=0, dtype=np.float64), np.float32)


def _average_product(samples: Sequence[Sample], rank: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Factors (U + 1, rank) and (M + 1, rank) whose product is nearest to the samples' mean of p_u · q_m.

    A sample's factors may be turned or swapped against another's, so their products are averaged, not the factors:
    a randomized SVD (Halko, Martinsson & Tropp 2011, algorithm 4.4) of the mean that never forms it.
    """
    lefts = [np.ascontiguousarray(sample.users[1:]) for sample in samples]
    rights = [np.ascontiguousarray(sample.movies[1:]) for sample in samples]
    users, movies = lefts[0].shape[1], rights[0].shape[1]
    rank = min(rank, users, movies)
    wide = min(rank + OVERSAMPLING, users, movies)
    basis = _product(rights, lefts, rng.standard_normal((users, wide)).astype(np.float32))
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(basis)[0]
        basis = np.linalg.qr(_product(lefts, rights, basis))[0]
        basis = _product(rights, lefts, basis)
    basis = np.linalg.qr(basis)[0]
    left, values, right = np.linalg.svd(_product(lefts, rights, basis), full_matrices=False)
    root = np.sqrt(values[:rank])
    return np.ascontiguousarray(left[:, :rank] * root), np.ascontiguousarray((basis @ right[:rank].T) * root)


def _product(outer: Sequence[Array], inner: Sequence[Array], block: Array) -> Array:
    """Mean over samples of outerᵀ (inner block): (k, A), (k, B), (B, w) → (A, w)."""
    total = np.zeros((outer[0].shape[1], block.shape[1]), np.float32)
    for left, right in zip(outer, inner, strict=True):
        total += left.T @ (right @ block)
    return total / np.float32(len(outer))


def _variances(
    samples: Sequence[Sample], design: Design, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """v_u (U + 1,) and v_m (M + 1,) whose sum is about the variance, over samples, of a pair's expectation.

    Fitted to training pairs, which are like those that will be asked for, and to enough others that everyone has some:
    each user with movies, and each movie with users, drawn as often as they have ratings.
    """
    users, movies = design.users.entities, design.movies.entities
    rated, raters = design.users.others, design.movies.others
    rows = rng.choice(len(rated), size=min(len(rated), TRAINING_PAIRS), replace=False)
    user_of_row = np.repeat(np.arange(users), np.diff(design.users.pointers))
    everyone, everything = np.repeat(np.arange(users), PAIRS_PER_USER), np.repeat(np.arange(movies), PAIRS_PER_MOVIE)
    u = np.concatenate([user_of_row[rows], everyone, rng.choice(raters, size=len(everything))])
    m = np.concatenate([rated[rows], rng.choice(rated, size=len(everyone)), everything])
    total, squares = np.zeros(len(u)), np.zeros(len(u))
    for sample in samples:
        _add_moments(sample.users, sample.movies, u, m, total, squares)
    variance = np.maximum(squares / len(samples) - (total / len(samples)) ** 2, 0.0)
    of_users, of_movies = np.zeros(users), np.zeros(movies)
    for _ in range(VARIANCE_ROUNDS):
        of_movies = np.maximum(np.bincount(m, variance - of_users[u], movies) / np.bincount(m, minlength=movies), 0.0)
        of_users = np.maximum(np.bincount(u, variance - of_movies[m], users) / np.bincount(u, minlength=users), 0.0)
    return of_users, of_movies


@compiled
def _add_moments(
    users: Array,
    movies: Array,
    u: NDArray[np.int64],
    m: NDArray[np.int64],
    total: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Add each pair's expectation in one sample, and its square; the mean is the same for all and left out."""
    for pair in range(len(u)):
        value = users[0, u[pair]] + movies[0, m[pair]]
        for factor in range(1, len(users)):
            value += users[factor, u[pair]] * movies[factor, m[pair]]
        total[pair] += value
        squares[pair] += value * value
