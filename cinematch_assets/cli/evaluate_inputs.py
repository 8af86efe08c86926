"""Read the files of ``cinematch evaluate``, fit and measure the recommender on them, without a database.

Here: reading by the platform's own rules. Not here: the command's arguments (``evaluate``), fitting and measuring
(``recommender.evaluate_files``).
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.ratings import read_ratings
from cinematch_assets.reading.results import RejectionLimit
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluate_files import FileEvaluation, backtest, evaluate_frames, evaluate_unseen_users
from cinematch_assets.recommender.evaluation import Evaluation
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.splits import Split
from cinematch_assets.settings import Settings
from cinematch_assets.splitting import TEST_SHARE


def evaluate_files(
    train: Path, test: Path | None, movies: Path | None, *, temporal: bool, progress: Progress | None = None
) -> FileEvaluation:
    """Fit on ``train`` and measure on ``test``; ``temporal`` pools the rows instead and tests on the newest of them.

    Raises:
        CinematchError: ``test`` is missing where it is needed, or a file cannot be used.
    """
    ratings = _ratings(train)
    if test is not None:
        return evaluate_frames(ratings, _ratings(test), _movies(movies), temporal=temporal, progress=progress)
    if not temporal:
        raise CinematchError("--test is missing: name the ratings to measure on, or use --split temporal")
    cut = round(len(ratings) * (1 - TEST_SHARE))
    return evaluate_frames(ratings[:cut], ratings[cut:], _movies(movies), temporal=True, progress=progress)


def evaluate_unseen(
    train: Path, test: Path | None, movies: Path | None, progress: Progress | None = None
) -> FileEvaluation:
    """Pool all rows, hold out a tenth of the users, and measure on what their folded-in histories recommend."""
    return evaluate_unseen_users(_pooled(train, test), _movies(movies), progress=progress)


def walk_files(
    train: Path, test: Path | None, movies: Path | None, progress: Progress | None = None
) -> Iterator[tuple[Split, Evaluation]]:
    """Backtest on all rows: fit on everything before a slice of time, measure on it, and go on."""
    ratings = Ratings.from_frame(_pooled(train, test))
    frame = _movies(movies)
    catalogue = Catalogue.without_titles(ratings.movies) if frame is None else Catalogue.from_frame(frame)
    yield from backtest(ratings, catalogue, progress=progress)


def _pooled(train: Path, test: Path | None) -> pd.DataFrame:
    return _ratings(train) if test is None else pd.concat([_ratings(train), _ratings(test)])


def _ratings(path: Path) -> pd.DataFrame:
    limit = RejectionLimit(Settings.from_env().max_rejected_share)
    return read_ratings(path, known_movies=None, limit=limit, are_times_needed=False).accepted


def _movies(path: Path | None) -> pd.DataFrame | None:
    if path is None:
        return None
    return read_movies(path, limit=RejectionLimit(Settings.from_env().max_rejected_share)).accepted
