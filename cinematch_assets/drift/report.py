"""A batch beside its baseline as an HTML page of Evidently's charts.

Here: the four columns that are charted, and the page; nothing is decided by it, and it says so. Not here: scores and
alerts (``drift.alerts``), the words of the assessment (``pipeline.batch_drift``). Only this module imports Evidently,
which takes seconds, at the first report.
"""

import re
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cinematch_assets.drift.statistics import NothingToCompareError
from cinematch_assets.errors import CinematchError
from cinematch_assets.values import SEED
from cinematch_assets.visible_text import without_markup

MAX_ROWS = 20_000
"""Rows drawn from either side: the standard error of a share is then below 0.4 points, and the page takes seconds."""

RATING_COLUMNS = ("userId", "movieId", "rating")
NO_GENRE = "(none)"
"""The genre of a movie whose genres are NULL, and of one that is not in the catalogue."""

TITLE = "What decides"
CHARTS_DECIDE_NOTHING = (
    "The charts below show where a difference lies, ratings first. They decide nothing: their own score is a "
    "Jensen-Shannon distance, and what they call drift is a distance over 0.1."
)

COUNT_EDGES = (0, 1, 10, 30, 100, 300, 1_000, np.inf)
COUNT_CLASSES = ("0 (new)", "1 to 9", "10 to 29", "30 to 99", "100 to 299", "300 to 999", "1000 or more")


class ReportRefusedError(CinematchError):
    """A frame for the report lacks a column."""


@dataclass(frozen=True, slots=True, eq=False)
class BaselineCounts:
    """Ratings of each user and of each movie in the whole baseline; the index is the id."""

    users: pd.Series
    movies: pd.Series

    @classmethod
    def of(cls, baseline: pd.DataFrame) -> "BaselineCounts":
        """Count in ``baseline``, which must be no sample: most users would seem new."""
        _require_columns("baseline", baseline, RATING_COLUMNS)
        return cls(baseline["userId"].value_counts(), baseline["movieId"].value_counts())


def drift_html(
    baseline: pd.DataFrame,
    batch: pd.DataFrame,
    movies: pd.DataFrame,
    *,
    batch_id: str,
    assessment: str,
    counts: BaselineCounts | None = None,
) -> bytes:
    """Chart one batch beside the baseline: ratings, genres, activity of users and popularity of movies.

    A rating's genre is one of its movie's, drawn at random, so that every rating counts once. Activity and popularity
    are numbers of ratings in the baseline, on both sides: "0 (new)" are users and movies without ratings there.

    Args:
        baseline: ``userId, movieId, rating``; the train split or a random sample of its rows.
        batch: the same columns.
        movies: ``movieId, genres``.
        batch_id: for the report's own metadata.
        assessment: what was decided on the batch and by which statistics, as plain text, a line a paragraph.
        counts: over the whole baseline; None counts in ``baseline``, which must then be no sample.

    Returns:
        One HTML page of about 4 MB, which needs no network.

    Raises:
        ReportRefusedError: a column is missing.
        NothingToCompareError: a side has no rows.
    """
    counts = counts or BaselineCounts.of(baseline)
    old, new = report_columns(baseline, movies, counts), report_columns(batch, movies, counts)
    with warnings.catch_warnings():
        # Evidently 0.7 calls functions that its own dependencies have deprecated.
        warnings.simplefilter("ignore")
        return _page(old, new, batch_id, assessment)


def report_columns(ratings: pd.DataFrame, movies: pd.DataFrame, counts: BaselineCounts) -> pd.DataFrame:
    """Draw at most 20,000 of the ratings, with a fixed seed: ``rating, genre, user_activity, item_popularity``."""
    _require_columns("ratings", ratings, RATING_COLUMNS)
    _require_columns("movies", movies, ("movieId", "genres"))
    if ratings.empty:
        raise NothingToCompareError("the drift report needs ratings on both sides, and one side has none")
    drawn = ratings.sample(n=min(MAX_ROWS, len(ratings)), random_state=SEED)
    return pd.DataFrame(
        {
            "rating": drawn["rating"].to_numpy(dtype=np.float64),
            "genre": _draw_genres(drawn["movieId"], movies),
            "user_activity": _count_classes(drawn["userId"], counts.users),
            "item_popularity": _count_classes(drawn["movieId"], counts.movies),
        }
    )


def _draw_genres(movie_ids: pd.Series, movies: pd.DataFrame) -> list[str]:
    """One of the genres of each movie, by equal chances."""
    genres = dict(zip(movies["movieId"].tolist(), movies["genres"].tolist(), strict=True))
    draws = np.random.default_rng(SEED).random(len(movie_ids)).tolist()
    listed = [str(genres.get(movie) or NO_GENRE).split("|") for movie in movie_ids.tolist()]
    # Evidently writes labels into a script of its page as they are.
    return [without_markup(names[int(draw * len(names))]) for names, draw in zip(listed, draws, strict=True)]


def _require_columns(name: str, frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise ReportRefusedError(f"the {name} for the drift report have no column {missing[0]!r}")


def _count_classes(ids: pd.Series, counts: pd.Series) -> list[str]:
    """The number of baseline ratings of each id, as one of ``COUNT_CLASSES``."""
    classes = pd.cut(ids.map(counts).fillna(0), bins=list(COUNT_EDGES), labels=list(COUNT_CLASSES), right=False)
    return classes.astype(str).tolist()


def _page(old: pd.DataFrame, new: pd.DataFrame, batch_id: str, assessment: str) -> bytes:
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - costs seconds of CPU
    from evidently.core.container import MetricContainer, MetricOrContainer  # noqa: PLC0415
    from evidently.core.report import Context  # noqa: PLC0415
    from evidently.legacy.model.widget import BaseWidgetInfo  # noqa: PLC0415
    from evidently.legacy.renderers.html_widgets import text_widget  # noqa: PLC0415
    from evidently.metrics import RowCount, ValueDrift  # noqa: PLC0415

    class AssessmentText(MetricContainer):  # type: ignore[misc]  # Evidently has no types
        """A text among the charts: Evidently's interface for what is no metric."""

        def generate_metrics(self, context: Context) -> list[MetricOrContainer]:  # noqa: ARG002 - Evidently's signature
            return []

        def render(self, context: Context, child_widgets: object = None) -> list[BaseWidgetInfo]:  # noqa: ARG002 - as above
            return [text_widget(title=TITLE, text=_paragraphs(assessment))]

    kinds = DataDefinition(
        numerical_columns=["rating"], categorical_columns=["genre", "user_activity", "item_popularity"]
    )
    # Distances, not p-values: with thousands of rows every difference is significant.
    drift = [ValueDrift(column=column, method="jensenshannon", threshold=0.1) for column in old.columns]
    report = Report(
        [AssessmentText(), *drift, RowCount()], metadata={"batch_id": batch_id}, tags=[batch_id], include_tests=False
    )
    result = report.run(
        Dataset.from_pandas(new, data_definition=kinds), Dataset.from_pandas(old, data_definition=kinds)
    )
    page: str = result.get_html_str(as_iframe=False)
    return page.encode()


def _paragraphs(text: str) -> str:
    """The lines as paragraphs of Evidently's Markdown, which they cannot steer."""
    lines = [*text.splitlines(), CHARTS_DECIDE_NOTHING]
    return "\n\n".join(re.sub(r"([\\*_#\[\]~|])", r"\\\1", without_markup(line)) for line in lines)
