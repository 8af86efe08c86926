"""The state of the platform as Prometheus metrics: their names, units, labels and help texts.

Here: facts → metric families → text. Not here: reading the facts (``pipeline.monitoring.scrape_facts``), what is
concluded from them (deploy/prometheus/alerts.yaml).

Ages are computed at the scrape, so that a value means the same in a rule, on a page and in a recorded text. What a
correction, a release or an erasure can make smaller is a gauge, not a counter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version as installed_version

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from cinematch_assets.pipeline.monitoring.scrape_facts import ScrapeFacts
from cinematch_assets.values import Automation
from cinematch_assets.visible_text import visible

PREFIX = "cinematch"
BATCH_STATES = ("completed", "in_progress", "failed")
"""Of ``ingestion_metadata.status``: each has a series from the first scrape on, so that a rule can count on it."""
_FIGURES = {
    "rmse": ("rmse_stars", "Root mean squared error of the champion on the test split."),
    "mae": ("mae_stars", "Mean absolute error of the champion on the test split."),
    "precision_at_10": ("precision_at_10_ratio", "Precision of the champion's first ten, of the rated movies."),
    "catalogue_ndcg_at_10": ("catalogue_ndcg_at_10_ratio", "nDCG of the champion's first ten, of the whole catalogue."),
    "coverage": ("coverage_ratio", "Share of the catalogue that the champion's lists show."),
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape found out; None is what could not be read."""

    scraped_at: datetime
    facts: ScrapeFacts | None
    automation: Automation | None
    has_dagster: bool | None
    """Whether Dagster's storage answered; None where there is none to ask."""
    duration_s: float


def exposition(scrape: Scrape, accept: str = "") -> tuple[bytes, str]:
    """Return the text and its media type: Prometheus' own, or OpenMetrics for a scraper that accepts it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PlatformCollector(scrape))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class PlatformCollector(Collector):
    """Metrics that are made from one scrape; nothing is kept between two."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Metric]:
        """Yield the families, those of the scrape itself first."""
        scrape = self._scrape
        yield _gauge("up", "Whether the warehouse could be read: 1 or 0.", int(scrape.facts is not None))
        yield _gauge("dagster_up", "Whether Dagster's storage could be read: 1 or 0.", scrape.has_dagster)
        yield _gauge("scrape_duration_seconds", "Time that reading took.", scrape.duration_s)
        yield InfoMetricFamily(f"{PREFIX}_build", "The release.", {"version": installed_version("cinematch-assets")})
        if scrape.automation is not None:
            yield from _automation(scrape.automation, scrape.scraped_at)
        if scrape.facts is not None:
            yield from _warehouse(scrape.facts)


def _automation(automation: Automation, now: datetime) -> Iterator[Metric]:
    beat = _age(automation.heartbeat_at, now)
    yield _gauge("daemon_heartbeat_age_seconds", "Since the last heartbeat of Dagster's daemon.", beat)
    ticks = {tick.name: _age(tick.at, now) for tick in automation.ticks}
    yield _gauges("sensor_tick_age_seconds", "Since the newest tick of each sensor.", "sensor", ticks)
    on = {tick.name: int(not tick.is_off) for tick in automation.ticks}
    yield _gauges("sensor_enabled", "Whether the sensor is on: 0 when a person turned it off.", "sensor", on)


def _warehouse(facts: ScrapeFacts) -> Iterator[Metric]:
    yield _gauge("needs_attention", "Things that need a person, as cinematch status lists them.", facts.needs_a_person)
    yield _gauge("waiting_work", "Things that wait and go on by themselves.", facts.waiting)
    yield from _rows(facts)
    yield from _drift(facts)
    yield from _champion(facts)
    freshness, now = facts.freshness, facts.read_at
    batch = _age(freshness.newest_batch_at, now)
    yield _gauge("newest_batch_age_seconds", "Since the newest batch came first.", batch)
    published = _age(freshness.lists_published_at, now)
    yield _gauge("lists_age_seconds", "Since recommendations were published last.", published)
    stale = 0.0 if facts.champion else None
    if freshness.lists_stale_since is not None:
        stale = _age(freshness.lists_stale_since, now)
    yield _gauge("lists_stale_seconds", "Since the published lists are not the champion's; 0 when they are.", stale)
    yield _gauge("database_size_bytes", "Size of the warehouse.", freshness.used_bytes)
    yield _gauge("storage_budget_bytes", "What CINEMATCH_STORAGE_BUDGET_MB allows.", facts.budget_bytes)
    share = freshness.used_bytes / facts.budget_bytes
    yield _gauge("storage_used_ratio", "Share of the budget that is used.", share)
    waiting: dict[str, float | None] = {}
    oldest: dict[str, float | None] = {}
    for each in facts.channels:  # two may have one label, after their URLs changed places in the setting
        waiting[each.label] = (waiting.get(each.label) or 0) + each.waiting
        oldest[each.label] = max(oldest.get(each.label) or 0.0, _age(each.waiting_since, now) or 0.0)
    yield _gauges("outbox_notifications", "Notifications that a channel was not sent yet.", "channel", waiting)
    yield _gauges("outbox_oldest_age_seconds", "Age of the oldest of them; 0 without one.", "channel", oldest)


def _rows(facts: ScrapeFacts) -> Iterator[Metric]:
    """Rows by kind of file and, for the newest batches, by batch; batches by state."""
    for name in ("read", "accepted", "rejected"):
        counts = {table: getattr(each, name) for table, each in facts.row_counts.items()}
        yield _gauges(f"rows_{name}", f"Rows {name} of the newest content of each file.", "table", counts)
    for name in ("read", "accepted", "rejected"):
        counts = {each.batch_id: getattr(each, f"rows_{name}") for each in facts.newest}
        yield _gauges(f"batch_rows_{name}", f"Rows {name} of the newest batches.", "batch", counts)
    states = dict.fromkeys(BATCH_STATES, 0) | facts.batches
    yield _gauges("batches", "Batches by the state of their newest load.", "state", states)
    yield _gauge("unseen_ratings", "Ratings in the buffer, which no champion was trained on.", facts.unseen_ratings)


def _drift(facts: ScrapeFacts) -> Iterator[Metric]:
    """Scores of the newest batches; every statistic is a share: of the baseline, or between two distributions."""
    labels = ("batch", "statistic")
    scores = GaugeMetricFamily(f"{PREFIX}_drift_score_ratio", "Drift of the newest batches.", labels=labels)
    bounds = GaugeMetricFamily(
        f"{PREFIX}_drift_null_bound_ratio",
        "The score without drift is below it, 99 times in 100.",
        labels=labels,
    )
    limits: dict[str, float] = {}
    for each in facts.drift:  # oldest first: the newest limit stays
        limits[each.feature_name] = each.threshold
        for family, value in ((scores, each.drift_score), (bounds, each.null_bound)):
            if value is not None:
                family.add_metric((visible(each.batch_id), visible(each.feature_name)), value)
    yield scores
    yield bounds
    yield _gauges("drift_limit_ratio", "Above it a drift score is an alert.", "statistic", limits)


def _champion(facts: ScrapeFacts) -> Iterator[Metric]:
    due = _age(facts.retraining_due_since, facts.read_at)
    yield _gauge("retraining_due_seconds", "Since retraining is due without an outcome; 0 when it is not.", due or 0.0)
    if facts.champion is None or facts.version is None:
        return
    champion, version = facts.champion, facts.version
    name = {"version": visible(champion.version), "method": visible(version.method)}
    yield InfoMetricFamily(f"{PREFIX}_champion", "The version that serves.", name)
    yield _gauge("champion_age_seconds", "Since it became champion.", _age(champion.since, facts.read_at))
    yield _gauge("champion_training_ratings", "Ratings that the champion was trained on.", version.data_size)
    figures = version.metrics or {}
    for key, (metric, text) in _FIGURES.items():
        yield _gauge(f"champion_{metric}", text, figures.get(key))
    yield _gauge("champion_baseline_rmse_stars", "RMSE of the best baseline on the same rows.", champion.baseline_rmse)
    loss = "Relative increase of the champion's RMSE over the best version that was ever promoted."
    yield _gauge("champion_loss_ratio", loss, champion.total_loss)


def _age(since: datetime | None, now: datetime) -> float | None:
    """Seconds since then, None if it never was; clocks of two machines may differ, ages are not negative."""
    return None if since is None else max(0.0, (now - since).total_seconds())


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """One number; without a series while it is not known."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text)
    if value is not None:
        family.add_metric((), float(value))
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, float | None]) -> Metric:
    """A number for each value of a label."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=(label,))
    for key, value in values.items():
        if value is not None:
            family.add_metric((visible(key),), float(value))
    return family
