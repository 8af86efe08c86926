"""Fit and measure on the frames that ``cinematch evaluate`` read from files, with time and memory.

Here: one function per question. Not here: reading CSV (``reading``), printing (``cli``).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import Evaluation, evaluate
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.splits import Split, refuse_leaks, temporal_split, walk_through_time

DEFAULT_SEED = 20_251_220


@dataclass(frozen=True, slots=True)
class FileEvaluation:
    """The figures of ``cinematch evaluate``: wall seconds, and the peak resident memory of the process so far."""

    method: str
    reason: str
    split: str
    train_rows: int
    test_rows: int
    rmse: float
    mae: float
    precision_at_10: float
    catalogue_precision_at_10: float | None
    catalogue_ndcg_at_10: float | None
    coverage: float | None
    novelty: float | None
    interval_80: float | None
    fit_seconds: float
    predict_seconds: float
    peak_rss_mb: float

    def as_json(self) -> dict[str, object]:
        """Return plain values, one per key."""
        return asdict(self)


def evaluate_frames(
    train: pd.DataFrame,
    test: pd.DataFrame,
    movies: pd.DataFrame | None = None,
    *,
    temporal: bool = False,
    config: RecommenderConfig | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> FileEvaluation:
    """Fit on ``train``, measure on ``test``; both with columns ``userId, movieId, rating`` and maybe ``timestamp``.

    ``movies`` (``movieId, title, genres``) is the catalogue; without it the movies of the *training* rows are, since a
    movie that only the test rows have cannot be recommended. ``temporal`` pools the rows and cuts them by time instead,
    at the share that the test file had.

    Raises:
        LeakError: a (user, movie) is in both files.
        RecommenderInputError: a column is missing, there are no rows, or no times to split by.
    """
    split = Split(Ratings.from_frame(train).latest(), Ratings.from_frame(test).latest())
    if temporal:
        split = _by_time(split)
    refuse_leaks(split, temporal=temporal)
    catalogue = Catalogue.without_titles(split.train.movies) if movies is None else Catalogue.from_frame(movies)
    settings = config or RecommenderConfig()
    started = time.perf_counter()
    model = fit_recommender(split.train, catalogue, config=settings, seed=seed, progress=progress)
    fitted = time.perf_counter()
    model.predict(split.test.users, split.test.movies)
    predicted = time.perf_counter()
    figures = evaluate(model, split.train, split.test, catalogue)
    return FileEvaluation(
        method=model.method,
        reason=model.reason,
        split="temporal" if temporal else "as given",
        train_rows=len(split.train),
        test_rows=len(split.test),
        rmse=figures.rmse,
        mae=figures.mae,
        precision_at_10=figures.precision_at_10,
        catalogue_precision_at_10=figures.catalogue_precision_at_10,
        catalogue_ndcg_at_10=figures.catalogue_ndcg_at_10,
        coverage=figures.coverage,
        novelty=figures.novelty,
        interval_80=figures.interval_80,
        fit_seconds=fitted - started,
        predict_seconds=predicted - fitted,
        peak_rss_mb=_peak_rss_mb(),
    )


def backtest(
    ratings: Ratings,
    catalogue: Catalogue,
    *,
    slices: int = 4,
    config: RecommenderConfig | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> Iterator[tuple[Split, Evaluation]]:
    """Fit on all before a slice of time, measure on it, and go on; a random split shows better figures than these."""
    for split in walk_through_time(ratings.latest(), slices):
        refuse_leaks(split, temporal=True)
        model = fit_recommender(
            split.train, catalogue, config=config or RecommenderConfig(), seed=seed, progress=progress
        )
        yield split, evaluate(model, split.train, split.test, catalogue)


def _by_time(given: Split) -> Split:
    pooled = Ratings.of(
        *(
            np.concatenate([getattr(given.train, name), getattr(given.test, name)])
            for name in ("users", "movies", "ratings", "timestamps")
        )
    ).latest()
    return temporal_split(pooled, len(given.test) / (len(given.train) + len(given.test)))


def _peak_rss_mb() -> float:
    """The largest resident size that this process has had, in MiB.

    On Linux a child begins with its parent's figure, so a process that a large one started shows at least that.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
