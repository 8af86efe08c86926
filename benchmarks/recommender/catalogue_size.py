"""Processor time against the size of the catalogue, at fixed ratings: what movies without ratings cost.

Here: the ratings of MovieLens latest-small in catalogues of several sizes, the table. Not here: time against the number
of ratings (``scale``).
"""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import machine
from benchmarks.recommender.data import prepare
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking.ranker import fit_ranker
from cinematch_assets.recommender.rating_prediction.bayesian_fm import fit_bayesian_fm

SIZES = (10_000, 50_000, 100_000, 200_000)
SEED = 1
CONFIG = RecommenderConfig(sweeps=60, burn_in=20)
"""Shorter than shipped: what unrated movies cost is then the larger share."""


def measure(results: Path, cache: Path) -> None:
    """One row a size, each fit by its processor time, which other processes of a busy machine change little."""
    data = prepare("ml-latest-small", cache)
    few = data.train.where(np.arange(len(data.train)) % 30 == 0)
    _seconds(few, data.catalogue)  # compiles the kernels
    rows = [_seconds(data.train, larger(data.catalogue, size)) for size in SIZES]
    header = ["movies in the catalogue", "rating model, s", "ranker, s", "both against the first size"]
    lines = [
        f"| {size:,} | {ratings:.1f} | {ranker:.1f} | {(ratings + ranker) / sum(rows[0]):.2f} |"
        for size, (ratings, ranker) in zip(SIZES, rows, strict=True)
    ]
    about = (
        f"Processor seconds to fit the {len(data.train):,} training rows of ml-latest-small, which rate"
        f" {len(np.unique(data.train.movies)):,} movies; the other movies of a catalogue have titles and genres only."
        f" {CONFIG.chains} chains of {CONFIG.sweeps} sweeps."
    )
    day = date.today().isoformat()  # noqa: DTZ011 - the local day
    table = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines]
    text = "\n".join(["# Time against the catalogue", "", *table, "", about, "", f"{day}. {machine()}.", ""])
    print(text)
    (results / "catalogue.md").write_text(text, encoding="utf-8")


def larger(catalogue: Catalogue, size: int) -> Catalogue:
    """``catalogue`` with made-up movies, of drawn titles' genres, until it has ``size``; never fewer than it had."""
    count = max(0, size - len(catalogue))
    numbers = int(catalogue.movies.max()) + 1 + np.arange(count, dtype=np.int32)
    drawn = np.random.default_rng(SEED).integers(0, len(catalogue), count)
    return Catalogue.of(
        np.concatenate([catalogue.movies, numbers]),
        [*catalogue.titles, *(f"Made up {number} ({1950 + number % 70})" for number in numbers)],
        [*catalogue.genres, *(catalogue.genres[row] for row in drawn)],
    )


def _seconds(rows: Ratings, catalogue: Catalogue) -> tuple[float, float]:
    return (
        _timed(lambda: fit_bayesian_fm(rows, catalogue, CONFIG, np.random.default_rng(SEED))),
        _timed(lambda: fit_ranker(rows, catalogue, CONFIG.ranking, np.random.default_rng(SEED))),
    )


def _timed(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start
