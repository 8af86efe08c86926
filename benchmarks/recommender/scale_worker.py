"""One side of the scale table in a process of its own; prints one line of JSON. Ours imports nothing of the peer's.

Usage: scale_worker.py cinematch|implicit FOLDER ROUND
"""

import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

FACTORS = 64
SWEEPS = 8
TIMED_SWEEPS = 3
K = 10
USERS_AT_ONCE = 16_384


def peak_mb() -> float:
    """The most this process held; Linux counts what a parent held into ``ru_maxrss``, so its own mark comes first."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def cinematch(folder: Path, number: int) -> dict[str, Any]:
    """The fit as it is shipped, with the time of each sweep from its progress; lists; in round 0 the ranker too."""
    from cinematch_assets.recommender.als import AlsConfig, fit_als
    from cinematch_assets.recommender.data import Ratings
    from cinematch_assets.recommender.topn import Exclusions, Seen, best_of_factors

    few = Ratings.of(np.array([1, 1, 2]), np.array([1, 2, 2]), np.array([3.0, 4.0, 5.0]))
    small = fit_als(few, AlsConfig(factors=FACTORS, sweeps=1), 0)
    best_of_factors(small.user_factors, small.movie_factors, 1, Exclusions.none(2), bias=small.movie_bias)
    users, movies = np.load(folder / "users.npy"), np.load(folder / "movies.npy")
    train = Ratings(users, movies, np.load(folder / "ratings.npy"), np.zeros(len(users), np.int64))
    marks: list[float] = []
    start = time.perf_counter()
    model = fit_als(train, AlsConfig(factors=FACTORS, sweeps=SWEEPS), 0, lambda *_: marks.append(time.perf_counter()))
    facts = {"fit_seconds": time.perf_counter() - start, "sweep_seconds": float(np.median(np.diff(marks)))}
    facts["peak_mb"] = peak_mb()
    start = time.perf_counter()
    seen = Seen.of(train)
    for first in range(0, len(model.users), USERS_AT_ONCE):
        some = slice(first, first + USERS_AT_ONCE)
        left_out = seen.among(model.users[some], model.movies)
        best_of_factors(model.user_factors[some], model.movie_factors, K, left_out, bias=model.movie_bias)
    facts["lists_seconds"] = time.perf_counter() - start
    facts["lists_peak_mb"] = peak_mb()
    return facts | (ranked(train) if number == 0 else {})


def ranked(train: Any) -> dict[str, Any]:
    """The shipped ranker on the same rows: its fit, and lists for a thousand users, measured on up to 16,384."""
    from cinematch_assets.recommender.data import Catalogue
    from cinematch_assets.recommender.ranking import fit_ranker

    start = time.perf_counter()
    ranker = fit_ranker(train, Catalogue.without_titles(train.movies))
    facts: dict[str, Any] = {"ranker_fit_seconds": time.perf_counter() - start}
    start = time.perf_counter()
    some = np.unique(train.users)[:USERS_AT_ONCE]
    ranker.top(some, K, train.where(train.users <= some[-1]))
    facts["ranker_lists_seconds"] = (time.perf_counter() - start) * 1_000 / len(some)
    facts["ranker_mb"] = sum(array.nbytes for array in ranker.arrays().values()) / 1e6
    facts["ranker_peak_mb"] = peak_mb()
    return facts


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
        everyone = np.arange(shape[0])
        for first in range(0, len(everyone), USERS_AT_ONCE):
            some = everyone[first : first + USERS_AT_ONCE]
            model.recommend(some, rows[some], N=K)
        facts["lists_seconds"] = time.perf_counter() - start
    return facts


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    side = {"cinematch": cinematch, "implicit": implicit}[sys.argv[1]]
    print(json.dumps(side(Path(sys.argv[2]), int(sys.argv[3]))))
