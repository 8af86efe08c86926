"""The monitoring page: one HTML file that needs no network and no script.

Here: charts and the template's values; the template escapes every text. Not here: the facts
(``pipeline.monitoring.facts``), drawing (``charts``), the template (``monitoring_page.html``).
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cinematch_assets import charts
from cinematch_assets.pipeline.monitoring.facts import MAX_DECISIONS, PROJECTED_WEEKS, Facts, age, headline
from cinematch_assets.visible_text import visible
from cinematch_assets.warehouse.monitoring import DriftScore

TEMPLATE = "monitoring_page.html"
STATISTICS = {
    "rating_mean": "Mean rating",
    "rating_std": "Spread of ratings (standard deviation)",
    "rating_distribution_ks": "Shape of ratings (KS distance)",
    "model_rmse": "Error of the champion (RMSE)",
    "model_mae": "Error of the champion (MAE)",
}
_MAX_OPEN_ROWS = 10
_NOTES = re.compile(r"Baseline: ([\d.]+), New: ([\d.]+)")


def render(facts: Facts, *, ui: str = "") -> str:
    """Return the page; its links to the UI begin with ``ui``: root-relative by default, as the UI serves it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "figure": _figure,
        "time": _time,
        "percent": _percent,
        "compared": _compared,
    }
    batches = list(dict.fromkeys(score.batch_id for score in facts.drift))
    return environment.get_template(TEMPLATE).render(
        facts=facts,
        ui=ui,
        headline=headline(facts),
        statistics=[
            _statistic(name, title, facts.drift, batches)
            for name, title in STATISTICS.items()
            if any(score.feature_name == name for score in facts.drift)
        ],
        batches=list(reversed(batches)),
        scores={(score.batch_id, score.feature_name): score for score in facts.drift},
        names=STATISTICS,
        histogram=_histogram(facts),
        models=_models(facts),
        storage=_storage(facts),
        max_decisions=MAX_DECISIONS,
        shown_at_once=_MAX_OPEN_ROWS,
        weeks=PROJECTED_WEEKS,
        newest=age(facts.newest_batch_at, facts.written_at) if facts.newest_batch_at else None,
        short=_short_version(facts),
    )


def _statistic(name: str, title: str, drift: list[DriftScore], batches: list[str]) -> dict[str, object]:
    """One statistic over all batches: the chart, and what it shows in words."""
    scores = {score.batch_id: score for score in drift if score.feature_name == name}
    points = [
        charts.Point(
            value=scores[batch].drift_score if batch in scores else None,
            usual=scores[batch].null_bound if batch in scores else None,
            is_marked=batch in scores and scores[batch].alert_triggered,
        )
        for batch in batches
    ]
    newest = next(score for score in reversed(drift) if score.feature_name == name)
    over = sum(point.is_marked for point in points)
    svg = charts.over_time(points, limit=newest.threshold, ends=(batches[0], batches[-1]))
    return {"title": title, "over": over, "measured": len(scores), "limit": newest.threshold, "svg": Markup(svg)}  # noqa: S704 - our own drawing, which escapes its texts


def _histogram(facts: Facts) -> Markup | None:
    if facts.histogram is None:
        return None
    drawn = charts.histogram_beside(facts.histogram.baseline, facts.histogram.batch, ("0.5 stars", "5 stars"))
    return Markup(drawn)  # noqa: S704 - as above


def _models(facts: Facts) -> list[tuple[str, Markup]]:
    """RMSE and nDCG over the versions; rejected ones are rings."""
    measured = [each for each in facts.versions if each.rmse is not None]
    if not measured:
        return []
    ends = (f"v{measured[0].ordinal}", f"v{measured[-1].ordinal}")
    baseline = facts.champion.baseline_rmse if facts.champion else None
    rmse = [charts.Point(each.rmse, is_hollow=each.state != "promoted") for each in measured]
    ndcg = [charts.Point(each.ndcg, is_hollow=each.state != "promoted") for each in measured]
    drawn = (
        (
            "RMSE on the test split: lower is better",
            charts.over_time(rmse, limit=baseline, limit_name="", ends=ends),
        ),
        ("nDCG@10 over the catalogue: higher is better", charts.over_time(ndcg, ends=ends)),
    )
    return [(title, Markup(svg)) for title, svg in drawn]  # noqa: S704 - as above


def _storage(facts: Facts) -> Markup:
    """Size now and in some weeks, against the budget."""
    storage = facts.storage
    rows = [
        charts.Level("now", storage.used_mb, storage.budget_mb),
        charts.Level(f"in {PROJECTED_WEEKS} weeks", storage.projected_mb, storage.budget_mb),
    ]
    return Markup(charts.levels(rows))  # noqa: S704 - as above


def _short_version(facts: Facts) -> dict[str, str]:
    """``v3`` for each version, which is how people speak of it."""
    return {each.version: f"v{each.ordinal}" for each in facts.versions}


def _visible(value: object) -> object:
    """A text of the template's values, which autoescaping alone would let reorder what is read."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"


def _compared(notes: str) -> str:
    """What a statistic was of the history and is of the batch; empty where the notes are of another form."""
    found = _NOTES.fullmatch(notes)
    return f"{found[1]} → {found[2]}" if found else ""


def _time(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
