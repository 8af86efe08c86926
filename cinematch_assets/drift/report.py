"""A batch beside its baseline as a page of pictures: Evidently's HTML.

Here: the four columns that are worth a picture, and the page. It decides nothing (``verdict`` does, from counts, in
milliseconds), so it may be made after the verdict or not at all. This is the only module that knows Evidently, whose
import costs seconds: it waits for the first report.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cinematch_assets.drift.statistics import NothingToCompareError
from cinematch_assets.errors import CinematchError

MOST_ROWS = 20_000
"""Rows drawn from either side: a share is then off by less than 0.4 points, and the page takes seconds."""

SEED = 20_260_101
RATING_COLUMNS = ("userId", "movieId", "rating")
NO_GENRE = "(none)"
EDGES = (0, 1, 10, 30, 100, 300, 1_000, np.inf)
CLASSES = ("0 (new)", "1 to 9", "10 to 29", "30 to 99", "100 to 299", "300 to 999", "1000 or more")


class ReportRefusedError(CinematchError):
    """A frame for the report lacks a column."""


@dataclass(frozen=True, slots=True, eq=False)
class TimesSeen:
    """How many ratings the whole baseline has of each user and of each movie; the index is the id."""

    users: pd.Series
    movies: pd.Series

    @classmethod
    def of(cls, baseline: pd.DataFrame) -> "TimesSeen":
        """Counted in a frame that is all of the baseline; counts in a sample would call most users new."""
        _columns_there("baseline", baseline, RATING_COLUMNS)
        return cls(baseline["userId"].value_counts(), baseline["movieId"].value_counts())


def drift_html(
    baseline: pd.DataFrame,
    batch: pd.DataFrame,
    movies: pd.DataFrame,
    *,
    batch_id: str,
    seen: TimesSeen | None = None,
) -> bytes:
    """One batch beside the baseline: ratings, genres, how active its users and how popular its movies are.

    A rating's genre is one of its movie's, drawn evenly, so that every rating counts once. Activity and popularity are
    numbers of ratings in the baseline, on both sides: "0 (new)" are users and movies that the baseline has not seen.

    Args:
        baseline: ``userId, movieId, rating``; the train split or a fair sample of its rows.
        batch: the same columns.
        movies: ``movieId, genres``.
        batch_id: for the report's own metadata.
        seen: counts over the whole baseline; None counts in ``baseline``, which must then be no sample.

    Returns:
        One HTML page of about 4 MB, which needs no network.

    Raises:
        ReportRefusedError: a column is missing.
        NothingToCompareError: a side has no rows.
    """
    times = seen or TimesSeen.of(baseline)
    old, new = report_columns(baseline, movies, times), report_columns(batch, movies, times)
    with warnings.catch_warnings():
        # Evidently 0.7 still calls what its own dependencies have deprecated; nothing of it reaches the page.
        warnings.simplefilter("ignore")
        return _page(old, new, batch_id)


def report_columns(ratings: pd.DataFrame, movies: pd.DataFrame, seen: TimesSeen) -> pd.DataFrame:
    """At most 20,000 of the ratings, drawn with a fixed seed, as ``rating, genre, user_activity, item_popularity``."""
    _columns_there("ratings", ratings, RATING_COLUMNS)
    _columns_there("movies", movies, ("movieId", "genres"))
    if ratings.empty:
        raise NothingToCompareError("the drift report needs ratings on both sides, and one side has none")
    drawn = ratings.sample(n=min(MOST_ROWS, len(ratings)), random_state=SEED)
    return pd.DataFrame(
        {
            "rating": drawn["rating"].to_numpy(dtype=np.float64),
            "genre": _one_genre_each(drawn["movieId"], movies),
            "user_activity": _classes(drawn["userId"], seen.users),
            "item_popularity": _classes(drawn["movieId"], seen.movies),
        }
    )


def _one_genre_each(movie_ids: pd.Series, movies: pd.DataFrame) -> list[str]:
    genres = dict(zip(movies["movieId"].tolist(), movies["genres"].tolist(), strict=True))
    chance = np.random.default_rng(SEED).random(len(movie_ids)).tolist()
    listed = [str(genres.get(movie) or NO_GENRE).split("|") for movie in movie_ids.tolist()]
    return [each[int(draw * len(each))] for each, draw in zip(listed, chance, strict=True)]


def _columns_there(name: str, frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise ReportRefusedError(f"the {name} for the drift report have no column {missing[0]!r}")


def _classes(ids: pd.Series, times_seen: pd.Series) -> list[str]:
    """How often the baseline has each id, as one of seven classes."""
    times = ids.map(times_seen).fillna(0)
    return pd.cut(times, bins=list(EDGES), labels=list(CLASSES), right=False).astype(str).tolist()


def _page(old: pd.DataFrame, new: pd.DataFrame, batch_id: str) -> bytes:
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - costs seconds of CPU
    from evidently.metrics import RowCount, ValueDrift  # noqa: PLC0415

    kinds = DataDefinition(
        numerical_columns=["rating"], categorical_columns=["genre", "user_activity", "item_popularity"]
    )
    # Distances, not p-values: with thousands of rows everything is significant.
    drift = [ValueDrift(column=column, method="jensenshannon", threshold=0.1) for column in old.columns]
    report = Report([RowCount(), *drift], metadata={"batch_id": batch_id}, tags=[batch_id], include_tests=False)
    result = report.run(
        Dataset.from_pandas(new, data_definition=kinds), Dataset.from_pandas(old, data_definition=kinds)
    )
    page: str = result.get_html_str(as_iframe=False)
    return page.encode()
