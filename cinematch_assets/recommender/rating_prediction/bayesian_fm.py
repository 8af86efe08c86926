"""Bayesian factorization machine: the average of many Gibbs samples as one rating table.

Here: chains side by side, their average in few factors, the variance of a prediction. Not here: how a sample is drawn
(``gibbs``), the columns (``design``), prediction (``rating_table``). Importing this module loads numba.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import distinct
from cinematch_assets.logs import log_phase
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import F64, Catalogue, Floats, Ids, Ratings
from cinematch_assets.recommender.kernels.compiled import compiled
from cinematch_assets.recommender.kernels.parallel import one_blas_thread, thread_count
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.random_streams import derive_stream
from cinematch_assets.recommender.rating_prediction.cold_start import add_cold_start
from cinematch_assets.recommender.rating_prediction.design import Design, build_design
from cinematch_assets.recommender.rating_prediction.gibbs import Chain, Sample
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

OVERSAMPLING = 8
POWER_STEPS = 2
"""Additional columns and power iterations of the randomized SVD."""

TRAINING_PAIRS = 40_000
PAIRS_PER_USER = 12
PAIRS_PER_MOVIE = 4
"""Pairs that the variances are fitted to."""

VARIANCE_ROUNDS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How long to sample: ``chains`` of ``sweeps`` each, of which the first ``burn_in`` are discarded.

    Of the others every ``thinning``-th is kept; their average is stored with ``rank`` factors.
    """

    factors: int
    chains: int
    sweeps: int
    burn_in: int
    thinning: int
    rank: int

    def __str__(self) -> str:
        return f"{self.chains} chains of {self.sweeps} sweeps with {self.factors} factors"


def plan_sampling(rows: int, config: RecommenderConfig) -> SamplingPlan:
    """The configured plan, with fewer factors for few ``rows``, and fewer and shorter chains within ``max_work``.

    With little work to share, two long chains say more than four short ones.
    """
    factors = config.factors if rows > config.few_rows else min(config.factors, config.few_rows_factors)
    total = config.max_work // max(1, rows * (factors + 1))
    chains = config.chains if total >= config.chains * config.sweeps else min(config.chains, 2)
    sweeps = min(config.sweeps, max(config.min_sweeps, total // chains))
    burn_in = min(config.burn_in, sweeps // 3)
    return SamplingPlan(factors, chains, sweeps, burn_in, config.thinning, config.rank)


def fit_bayesian_fm(
    train: Ratings,
    catalogue: Catalogue,
    config: RecommenderConfig,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> RatingTable:
    """Sample, average and summarize; ``train`` has each (user, movie) once.

    Each chain has a stream of its own from ``rng``, and they are averaged in the order of their numbers, with BLAS on
    one thread: the bytes do not depend on the number of threads.
    """
    plan = plan_sampling(len(train), config)
    users, movies = distinct(train.users), distinct(train.movies)
    # Movies without ratings are not sampled: they say nothing of the others, and get their rows from ``cold_start``.
    design = build_design(train, users, movies, catalogue.among(movies))
    with log_phase(logger, "Bayesian factorization machine on %d ratings, %s", len(train), plan):
        samples = _run_chains(design, plan, rng, progress)
    with log_phase(logger, "rating table of %d samples", len(samples)):
        table = _average(samples, design, (users, movies), plan.rank, derive_stream(rng, plan.chains))
        with one_blas_thread():
            return add_cold_start(_with_movies(table, catalogue.movies), train, catalogue)


def _run_chains(design: Design, plan: SamplingPlan, rng: np.random.Generator, progress: Progress) -> list[Sample]:
    """Samples of all chains, chain by chain."""
    done = [0] * plan.chains

    def run(number: int) -> list[Sample]:
        chain = Chain(design, plan.factors, derive_stream(rng, number))
        kept = []
        for sweep in range(plan.sweeps):
            chain.sweep(broad_priors=sweep < plan.burn_in // 2)
            if sweep >= plan.burn_in and (sweep - plan.burn_in) % plan.thinning == 0:
                kept.append(chain.sample())
            done[number] = sweep + 1
        return kept

    with ThreadPoolExecutor(max_workers=min(plan.chains, thread_count()), thread_name_prefix="chain") as pool:
        running = [pool.submit(run, number) for number in range(plan.chains)]
        _report_until_done(running, lambda: progress("ratings", sum(done) / (plan.chains * plan.sweeps)))
        return [sample for chain in running for sample in chain.result()]


def _report_until_done(
    running: Sequence[Future[list[Sample]]], report: Callable[[], None], every_s: float = 0.2
) -> None:
    """Call ``report`` from the calling thread until all chains have ended."""
    waiting: set[Future[list[Sample]]] = set(running)
    while waiting:
        waiting = wait(waiting, timeout=every_s).not_done
        report()


def _average(
    samples: Sequence[Sample], design: Design, ids: tuple[Ids, Ids], rank: int, rng: np.random.Generator
) -> RatingTable:
    """The samples' mean as a table over user and movie ``ids``, without rows for cold start yet."""
    users, movies = ids
    with one_blas_thread():
        user_factors, movie_factors = _average_product(samples, rank, rng)
    user_variance, movie_variance = _variances(samples, design, rng)
    user_noise = 1.0 / np.asarray(np.mean([sample.user_precision for sample in samples], axis=0, dtype=np.float64))
    noise = float(user_noise[:-1].mean())
    return RatingTable(
        mean=float(np.mean([sample.mean for sample in samples])),
        low=float(design.ratings.min()),
        high=float(design.ratings.max()),
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


def _with_movies(table: RatingTable, more: Ids) -> RatingTable:
    """``table`` with rows of zeros for those of ``more`` movies that it lacks."""
    movies = np.union1d(table.movies, more).astype(np.int32)
    known = np.append(np.isin(movies, table.movies), True)

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros((len(movies) + 1, *values.shape[1:]), values.dtype)
        out[known] = values
        return out

    return replace(
        table,
        movies=movies,
        movie_bias=spread(table.movie_bias),
        movie_factors=spread(table.movie_factors),
        movie_variance=spread(table.movie_variance),
        movie_rated=spread(table.movie_rated),
        movie_choice=spread(table.movie_choice),
    )


def _mean_bias(sums: Sequence[Floats]) -> Floats:
    return np.asarray(np.mean([factors[0] for factors in sums], axis=0, dtype=np.float64), np.float32)


def _average_product(samples: Sequence[Sample], rank: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Factors (U + 1, rank) and (M + 1, rank) whose product is nearest to the samples' mean of p_u · q_m.

    A sample's factors may be rotated against another's, so their products are averaged, not the factors: a randomized
    SVD (Halko, Martinsson & Tropp 2011, algorithm 4.4) of the mean, which is never formed.
    """
    lefts = [np.ascontiguousarray(sample.users[1:]) for sample in samples]
    rights = [np.ascontiguousarray(sample.movies[1:]) for sample in samples]
    users, movies = lefts[0].shape[1], rights[0].shape[1]
    rank = min(rank, users, movies)
    sketch = min(rank + OVERSAMPLING, users, movies)
    basis = _mean_product(rights, lefts, rng.standard_normal((users, sketch)).astype(np.float32))
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(basis)[0]
        basis = np.linalg.qr(_mean_product(lefts, rights, basis))[0]
        basis = _mean_product(rights, lefts, basis)
    basis = np.linalg.qr(basis)[0]
    left, values, right = np.linalg.svd(_mean_product(lefts, rights, basis), full_matrices=False)
    root = np.sqrt(values[:rank])
    return np.ascontiguousarray(left[:, :rank] * root), np.ascontiguousarray((basis @ right[:rank].T) * root)


def _mean_product(outer: Sequence[Floats], inner: Sequence[Floats], block: Floats) -> Floats:
    """Mean over samples of outerᵀ (inner block): (k, A), (k, B), (B, w) → (A, w)."""
    total = np.zeros((outer[0].shape[1], block.shape[1]), np.float32)
    for left, right in zip(outer, inner, strict=True):
        total += left.T @ (right @ block)
    return total / np.float32(len(outer))


def _variances(samples: Sequence[Sample], design: Design, rng: np.random.Generator) -> tuple[F64, F64]:
    """v_u (U + 1,) and v_m (M + 1,) whose sum is about the variance, over samples, of a pair's expectation.

    Fitted to training pairs, which are like the pairs to be predicted, and to enough others that every user and movie
    has some: each user with movies, and each movie with users, drawn in proportion to their ratings.
    """
    users, movies = design.users.entities, design.movies.entities
    rated, raters = design.users.others, design.movies.others
    rows = rng.choice(len(rated), size=min(len(rated), TRAINING_PAIRS), replace=False)
    user_of_row = np.repeat(np.arange(users), np.diff(design.users.pointers))
    each_user, each_movie = np.repeat(np.arange(users), PAIRS_PER_USER), np.repeat(np.arange(movies), PAIRS_PER_MOVIE)
    u = np.concatenate([user_of_row[rows], each_user, rng.choice(raters, size=len(each_movie))])
    m = np.concatenate([rated[rows], rng.choice(rated, size=len(each_user)), each_movie])
    total, squares = np.zeros(len(u)), np.zeros(len(u))
    for sample in samples:
        _add_moments(sample.users, sample.movies, u, m, total, squares)
    variance = np.maximum(squares / len(samples) - (total / len(samples)) ** 2, 0.0)
    # Alternate between the two sides, each the mean of what the other leaves.
    v_u, v_m = np.zeros(users), np.zeros(movies)
    for _ in range(VARIANCE_ROUNDS):
        v_m = np.maximum(np.bincount(m, variance - v_u[u], movies) / np.bincount(m, minlength=movies), 0.0)
        v_u = np.maximum(np.bincount(u, variance - v_m[m], users) / np.bincount(u, minlength=users), 0.0)
    return v_u, v_m


@compiled
def _add_moments(  # pragma: no cover - compiled
    users: Floats, movies: Floats, u: NDArray[np.int64], m: NDArray[np.int64], total: F64, squares: F64
) -> None:
    """Add each pair's expectation in one sample, and its square; the mean μ is the same for all and left out."""
    for pair in range(len(u)):
        # b_u + b_m + p_u · q_m.
        value = users[0, u[pair]] + movies[0, m[pair]]
        for factor in range(1, len(users)):
            value += users[factor, u[pair]] * movies[factor, m[pair]]
        total[pair] += value
        squares[pair] += value * value
