"""One side of the scale table in a process of its own; prints one line of JSON. Ours imports nothing of the peer's.

Usage: scale_worker.py cinematch|implicit FOLDER ROUND
"""

import json
import re
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

FACTORS = 64
SWEEPS = 8
TIMED_SWEEPS = 3
K = 10
USERS_PER_BLOCK = 16_384


def peak_mb() -> float:
    """Peak memory of this process; on Linux ``ru_maxrss`` begins with the parent's, so VmHWM is read first."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def cinematch(folder: Path, number: int) -> dict[str, Any]:
    """The fit as it is shipped, with the time of each sweep from its progress; recommendations; the ranker."""
    from benchmarks.recommender.factor_lists import best_of_factors
    from cinematch_assets.recommender.config import AlsConfig
    from cinematch_assets.recommender.data import Ratings
    from cinematch_assets.recommender.kernels.topn import Exclusions, Seen
    from cinematch_assets.recommender.rating_prediction.als import fit_als

    few = Ratings.of(np.repeat(np.arange(5), 5), np.tile(np.arange(5), 5), np.linspace(1.0, 5.0, 25))
    small = fit_als(few, AlsConfig(factors=FACTORS, sweeps=2), np.random.default_rng(0))
    best_of_factors(small.user_factors, small.movie_factors, small.movie_bias, 1, Exclusions.none(5))
    users, movies = np.load(folder / "users.npy"), np.load(folder / "movies.npy")
    train = Ratings(users, movies, np.load(folder / "ratings.npy"), np.zeros(len(users), np.int64))
    marks: list[float] = []
    start = time.perf_counter()
    config, rng = AlsConfig(factors=FACTORS, sweeps=SWEEPS), np.random.default_rng(0)
    model = fit_als(train, config, rng, lambda *_: marks.append(time.perf_counter()))
    facts = {"fit_seconds": time.perf_counter() - start, "sweep_seconds": float(np.median(np.diff(marks)))}
    facts["peak_mb"] = peak_mb()
    start = time.perf_counter()
    seen = Seen.of(train)
    for first in range(0, len(model.users), USERS_PER_BLOCK):
        block = slice(first, first + USERS_PER_BLOCK)
        skipped = seen.among(model.users[block], model.movies)
        best_of_factors(model.user_factors[block], model.movie_factors, model.movie_bias, K, skipped)
    facts["lists_seconds"] = time.perf_counter() - start
    facts["lists_peak_mb"] = peak_mb()
    return facts | ranked(train, model, folder / "ranker.npz", number)


def ranked(train: Any, model: Any, kept: Path, number: int) -> dict[str, Any]:
    """The shipped ranker on the same rows: its fit, in round 0, and recommendations for all users from its arrays.

    The predicted ratings that weigh in the order come from the factors of ``model``.
    """
    from cinematch_assets.recommender.config import RankingConfig
    from cinematch_assets.recommender.data import Catalogue
    from cinematch_assets.recommender.ranking.ranker import Ranker, fit_ranker
    from cinematch_assets.recommender.rating_prediction.als_table import build_table

    facts: dict[str, Any] = {}
    movies = np.unique(train.movies)
    if number == 0:
        pairs = tuple(f"Film{movie // 2}: part {movie % 2}" for movie in movies.tolist())
        catalogue = replace(Catalogue.without_titles(movies), titles=pairs)
        start = time.perf_counter()
        ranker = fit_ranker(train, catalogue, RankingConfig(), np.random.default_rng(0))
        facts["ranker_fit_seconds"] = time.perf_counter() - start
        facts["ranker_peak_mb"] = peak_mb()
        facts["ranker_mb"] = sum(array.nbytes for array in ranker.arrays().values()) / 1e6
        np.savez(kept, **ranker.arrays())
    ranker = Ranker.from_arrays(dict(np.load(kept)))
    table = build_table(model, train, Catalogue.without_titles(movies))
    users = np.unique(train.users)
    ranker.top(users[:2], K, train, rating_factors=table)
    start = time.perf_counter()
    ranker.top(users, K, train, rating_factors=table)
    return facts | {"ranker_lists_seconds": time.perf_counter() - start}


def implicit(folder: Path, _number: int) -> dict[str, Any]:
    """Its own ALS, with BLAS on one thread as its documentation asks for."""
    import scipy.sparse as sp
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    shape = tuple(np.load(folder / "shape.npy"))
    rows = sp.csr_matrix(
        (np.load(folder / "ratings.npy"), (np.load(folder / "users.npy"), np.load(folder / "movies.npy"))), shape=shape
    )
    sweeps: list[float] = []
    model = AlternatingLeastSquares(factors=FACTORS, iterations=TIMED_SWEEPS, random_state=0)
    with threadpool_limits(1, "blas"):
        model.fit(rows, show_progress=False, callback=lambda _sweep, seconds, *_: sweeps.append(seconds))
        facts = {"sweep_seconds": float(np.median(sweeps)), "peak_mb": peak_mb()}
        start = time.perf_counter()
        all_users = np.arange(shape[0])
        for first in range(0, len(all_users), USERS_PER_BLOCK):
            block = all_users[first : first + USERS_PER_BLOCK]
            model.recommend(block, rows[block], N=K)
        facts["lists_seconds"] = time.perf_counter() - start
    return facts


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    side = {"cinematch": cinematch, "implicit": implicit}[sys.argv[1]]
    print(json.dumps(side(Path(sys.argv[2]), int(sys.argv[3]))))
