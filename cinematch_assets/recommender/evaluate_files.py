"""Fit and measure on the frames that ``cinematch evaluate`` read from files, with time and memory.

Here: one function per question. Not here: reading CSV (``reading``), printing (``cli``).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import Evaluation, evaluate
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.splits import Split, refuse_leaks, temporal_split, walk_through_time
from cinematch_assets.recommender.strong_generalization import (
    FoldedInModel,
    LongListMetrics,
    hold_out_users,
    measure_long_lists,
)

DEFAULT_SEED = 20_251_220
_COLUMNS = ("users", "movies", "ratings", "timestamps")


@dataclass(frozen=True, slots=True)
class FileEvaluation:
    """The figures of ``cinematch evaluate``: wall seconds, and the peak resident memory of the process so far."""

    method: Annotated[str, "the method of predicted ratings and the method of rankings, joined by +"]
    reason: Annotated[str, "why this method was chosen for these data"]
    split: Annotated[str, "where the test rows come from: as given, temporal, or users held out"]
    train_rows: Annotated[int, "ratings that the model was fitted on"]
    test_rows: Annotated[int, "ratings that it was measured on"]
    rmse: Annotated[float, "root mean square error of predicted ratings, in stars"]
    mae: Annotated[float, "mean absolute error of predicted ratings, in stars"]
    precision_at_10: Annotated[
        float, "share of a user's ten test movies of highest predicted rating that they gave 4 or more, mean over users"
    ]
    catalogue_precision_at_10: Annotated[
        float | None, "share of the ten recommended movies of the whole catalogue that the user gave 4 or more"
    ]
    catalogue_ndcg_at_10: Annotated[
        float | None, "the same with weight 1 / log2(rank + 1), as a share of the best possible list"
    ]
    coverage: Annotated[float | None, "share of the catalogue that is in any list"]
    novelty: Annotated[float | None, "mean of -log2 of the share of training users who rated a recommended movie"]
    interval_80: Annotated[
        float | None, "share of test ratings inside their 80 % intervals; None where the method has none"
    ]
    fit_seconds: Annotated[float, "wall time of fitting"]
    predict_seconds: Annotated[float, "wall time of predicting the test rows"]
    peak_rss_mb: Annotated[float, "the most memory that the process has held, in MiB"]
    recall_at_20: Annotated[
        float | None, "for held-out users: share of their liked test movies in a list of 20; at most 20 count"
    ] = None
    recall_at_50: Annotated[float | None, "the same in a list of 50"] = None
    ndcg_at_100: Annotated[float | None, "the same weighted by rank, in a list of 100"] = None

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
    return _file_evaluation(
        figures,
        reason=model.reason,
        split="temporal" if temporal else "as given",
        train_rows=len(split.train),
        fit_seconds=fitted - started,
        predict_seconds=predicted - fitted,
    )


def evaluate_unseen_users(
    ratings: pd.DataFrame,
    movies: pd.DataFrame | None = None,
    *,
    config: RecommenderConfig | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> FileEvaluation:
    """Fit on all but a tenth of the users, fold in four fifths of what each of these rated, measure on the rest.

    Raises:
        RecommenderInputError: a column is missing, or no user can be held out.
    """
    split = hold_out_users(Ratings.from_frame(ratings).latest(), seed)
    catalogue = Catalogue.without_titles(split.train.movies) if movies is None else Catalogue.from_frame(movies)
    split = split.among(np.union1d(catalogue.movies, split.train.movies))
    started = time.perf_counter()
    fitted_model = fit_recommender(
        split.train, catalogue, config=config or RecommenderConfig(), seed=seed, progress=progress
    )
    fitted = time.perf_counter()
    model = FoldedInModel(fitted_model, split.history)
    model.predict(split.test.users, split.test.movies)
    predicted = time.perf_counter()
    known = Ratings.of(
        *(np.concatenate([getattr(split.train, name), getattr(split.history, name)]) for name in _COLUMNS)
    )
    figures = evaluate(model, known, split.test, catalogue)
    lists = measure_long_lists(model, split.test)
    return _file_evaluation(
        figures,
        reason=fitted_model.reason,
        split="users held out",
        train_rows=len(split.train),
        fit_seconds=fitted - started,
        predict_seconds=predicted - fitted,
        lists=lists,
    )


def _file_evaluation(
    figures: Evaluation,
    *,
    reason: str,
    split: str,
    train_rows: int,
    fit_seconds: float,
    predict_seconds: float,
    lists: LongListMetrics | None = None,
) -> FileEvaluation:
    return FileEvaluation(
        method=figures.method,
        reason=reason,
        split=split,
        train_rows=train_rows,
        test_rows=figures.rows,
        rmse=figures.rmse,
        mae=figures.mae,
        precision_at_10=figures.precision_at_10,
        catalogue_precision_at_10=figures.catalogue_precision_at_10,
        catalogue_ndcg_at_10=figures.catalogue_ndcg_at_10,
        coverage=figures.coverage,
        novelty=figures.novelty,
        interval_80=figures.interval_80,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        peak_rss_mb=_peak_rss_mb(),
        recall_at_20=lists.recall_at_20 if lists else None,
        recall_at_50=lists.recall_at_50 if lists else None,
        ndcg_at_100=lists.ndcg_at_100 if lists else None,
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
        *(np.concatenate([getattr(given.train, name), getattr(given.test, name)]) for name in _COLUMNS)
    ).latest()
    return temporal_split(pooled, len(given.test) / (len(given.train) + len(given.test)))


def _peak_rss_mb() -> float:
    """The largest resident size that this process has had, in MiB.

    On Linux a child begins with its parent's figure, so a process that a large one started shows at least that.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
