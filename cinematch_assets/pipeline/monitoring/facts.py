"""Everything that the monitoring page says, as plain values.

Here: reading it and the sentences that follow from it; ``status`` shows the same figures. Not here: how it is shown
(``pipeline.monitoring.page``), the queries (``warehouse.monitoring``, ``warehouse.status``).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cinematch_assets.pipeline.attention import AttentionRow, attention
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation
from cinematch_assets.warehouse import monitoring as rows
from cinematch_assets.warehouse import status
from cinematch_assets.warehouse.batch_performance import BatchPerformance, list_batch_performance
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.conditions import read_freshness
from cinematch_assets.warehouse.drift_alerts import NoBaselineError, count_unseen_ratings, read_baseline_counts
from cinematch_assets.warehouse.drift_alerts import read_batch_counts as read_histogram
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets.warehouse.model_registry import ModelVersion, list_model_versions
from cinematch_assets.warehouse.table_sizes import TableSize, read_table_sizes
from cinematch_assets.warehouse.warehouse import Session

MAX_BATCHES = 60
"""Batches that the page shows; a year of weeks, and some more."""
MAX_DECISIONS = 20
MAX_MEASURED = 20
"""Batches whose champion's error and hit rate the page shows."""
SAMPLE_MOVIES = 3
PROJECTED_WEEKS = 8
MEAN_OF_BATCHES = 8


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed, with what it was for and the last error that it recorded."""

    run_id: str
    job: str
    ended_at: datetime
    batch: str | None
    message: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A model version with its figures on the test split; None where it was not measured."""

    version: str
    ordinal: int
    state: str
    created_at: datetime
    rmse: float | None
    ndcg: float | None
    coverage: float | None
    data_size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that serves: since when and why, its error, and that of the best baseline."""

    version: str
    ordinal: int
    since: datetime | None
    reason: str
    rmse: float | None
    baseline: str | None
    baseline_rmse: float | None
    total_loss: float | None
    """Relative increase of RMSE on the test split over the best version that was ever promoted; negative is better."""
    best_version: str | None


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes of the database, and what a batch a week of the usual size makes of them."""

    used_bytes: int
    budget_mb: int
    rows_per_week: int
    bytes_per_rating: float

    @property
    def used_mb(self) -> float:
        """MB of 2^20 bytes, as Neon counts its 512."""
        return self.used_bytes / 2**20

    @property
    def used_share(self) -> float:
        """Of the budget."""
        return self.used_mb / self.budget_mb

    @property
    def projected_mb(self) -> float:
        """After ``PROJECTED_WEEKS`` more batches."""
        return self.used_mb + PROJECTED_WEEKS * self.rows_per_week * self.bytes_per_rating / 2**20


@dataclass(frozen=True, slots=True)
class Histogram:
    """Ratings of 0.5 to 5.0 stars, ten counts each, of the baseline and of the newest loaded batch."""

    batch_id: str
    baseline: tuple[int, ...]
    batch: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of the platform and how it came to it, newest first where nothing else is said."""

    written_at: datetime
    attention: list[AttentionRow]
    champion: Champion | None
    ratings: int
    unseen_ratings: int
    arrivals: list[rows.Arrival]
    older_arrivals: int
    drift: list[rows.DriftScore]
    """In the order of the batches' arrival, oldest first."""
    histogram: Histogram | None
    versions: list[VersionLine]
    """Oldest first."""
    champion_changes: list[rows.ChampionChange]
    rejected: list[status.RejectedLine]
    decisions: list[rows.DecisionLine]
    lists: rows.ListTotals
    most_shown: list[rows.ShownMovie]
    sample_users: list[rows.SampleUser]
    performance: list[BatchPerformance]
    """What batches said of champions and of published lists before anything learned from them."""
    storage: Storage
    newest_batch_at: datetime | None
    failed_runs: list[FailedRun] | None
    """None when Dagster's storage was not asked."""

    @property
    def needs_a_person(self) -> list[AttentionRow]:
        """What only a person can move on."""
        return [each for each in self.attention if each.needs_a_person]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        storage = {
            "used_mb": self.storage.used_mb,
            "projected_mb": self.storage.projected_mb,
            "used_share": self.storage.used_share,
        }
        rates = [{"hit_rate": each.hit_rate, "unlisted_rate": each.unlisted_rate} for each in self.performance]
        return asdict(self) | {
            "headline": headline(self),
            "storage": asdict(self.storage) | storage,
            "lists": asdict(self.lists) | {"share_of_top_10": self.lists.share_of_top_10},
            "performance": [asdict(each) | more for each, more in zip(self.performance, rates, strict=True)],
        }


def headline(facts: Facts) -> str:
    """Say the state in one sentence: what needs a person, and which model serves whom."""
    number = len(facts.needs_a_person)
    if number == 0:
        needs = "nothing needs attention"
    else:
        needs = f"{number} thing{'s' if number > 1 else ''} need{'' if number > 1 else 's'} attention"
    if facts.champion is None:
        return f"{needs}; no model serves yet"
    served = f"{facts.lists.users:,} user{'' if facts.lists.users == 1 else 's'}"
    return f"{needs}; v{facts.champion.ordinal} serves {served}"


def read_facts(
    platform: Platform,
    failed_runs: Sequence[FailedRun] | None = None,
    automation: Automation | None = None,
    *,
    now: datetime | None = None,
) -> Facts:
    """Read everything in one session.

    Args:
        platform: what the page is about.
        failed_runs: of the last seven days, from Dagster's storage, which the pipeline does not know.
        automation: signs of life of sensors and daemon; None where Dagster's storage was not asked.
        now: when the page is written; by default the time.
    """
    with platform.warehouse.session() as session:
        champion, changes = session.run(read_champion), session.run(rows.list_champion_changes)
        versions = session.run(list_model_versions)
        arrivals = session.run(rows.list_arrivals)
        return Facts(
            written_at=now or datetime.now(UTC),
            attention=attention(platform, automation),
            champion=champion_of(champion, changes, versions) if champion else None,
            ratings=session.run(count_rows, "ratings"),
            unseen_ratings=session.run(count_unseen_ratings),
            arrivals=arrivals[:MAX_BATCHES],
            older_arrivals=max(0, len(arrivals) - MAX_BATCHES),
            drift=read_drift(session, arrivals[:MAX_BATCHES]),
            histogram=_histogram(session, arrivals),
            versions=[_version_line(each) for each in reversed(versions)],
            champion_changes=changes,
            rejected=session.run(status.list_rejected_reasons),
            decisions=session.run(rows.list_decisions, MAX_DECISIONS),
            lists=session.run(rows.read_list_totals),
            most_shown=session.run(rows.list_most_shown, 5),
            sample_users=session.run(rows.list_sample_users, SAMPLE_MOVIES),
            performance=session.run(list_batch_performance)[::-1][:MAX_MEASURED],
            storage=_storage(
                platform, session.run(read_table_sizes), session.run(rows.list_batch_sizes, MEAN_OF_BATCHES)
            ),
            newest_batch_at=session.run(read_freshness).newest_batch_at,
            failed_runs=None if failed_runs is None else list(failed_runs),
        )


def champion_of(
    champion: ModelVersion, changes: Sequence[rows.ChampionChange], versions: Sequence[ModelVersion]
) -> Champion:
    """Say what the champion is among all versions, and since when."""
    change = next((each for each in changes if each.version == champion.version), None)
    rmse = _figure(champion, "rmse")
    baselines = {
        name: float(figures["rmse"]) for name, figures in ((champion.metrics or {}).get("baselines") or {}).items()
    }
    best_baseline = min(baselines, key=lambda name: baselines[name], default=None)
    best = _best_version(versions)
    return Champion(
        version=champion.version,
        ordinal=champion.ordinal,
        since=change.changed_at if change else None,
        reason=change.reason if change else "",
        rmse=rmse,
        baseline=best_baseline,
        baseline_rmse=baselines[best_baseline] if best_baseline else None,
        total_loss=loss_since_best(versions, champion.version),
        best_version=best.version if best else None,
    )


def loss_since_best(versions: Sequence[ModelVersion], champion: str | None) -> float | None:
    """Return the champion's relative increase of RMSE over the best version that was ever promoted."""
    best = _best_version(versions)
    rmse = next((_figure(each, "rmse") for each in versions if each.version == champion), None)
    best_rmse = _figure(best, "rmse") if best else None
    return rmse / best_rmse - 1 if rmse and best_rmse else None


def _best_version(versions: Sequence[ModelVersion]) -> ModelVersion | None:
    """The promoted version with the lowest RMSE on the test split."""
    measured = [each for each in versions if each.state == "promoted" and _figure(each, "rmse")]
    return min(measured, key=lambda each: _figure(each, "rmse") or 0.0, default=None)


def _version_line(version: ModelVersion) -> VersionLine:
    return VersionLine(
        version=version.version,
        ordinal=version.ordinal,
        state=version.state,
        created_at=version.created_at,
        rmse=_figure(version, "rmse"),
        ndcg=_figure(version, "catalogue_ndcg_at_10"),
        coverage=_figure(version, "coverage"),
        data_size=version.data_size,
        reason=str((version.evidence or {}).get("reason", "")),
    )


def _figure(version: ModelVersion, name: str) -> float | None:
    value = (version.metrics or {}).get(name)
    return None if value is None else float(value)


def read_drift(session: Session, arrivals: Sequence[rows.Arrival]) -> list[rows.DriftScore]:
    """Return the scores of these batches, oldest first."""
    place = {each.batch_id: number for number, each in enumerate(reversed(arrivals))}
    return sorted(session.run(rows.list_drift_scores, list(place)), key=lambda each: place[each.batch_id])


def _histogram(session: Session, arrivals: Sequence[rows.Arrival]) -> Histogram | None:
    newest = next((each.batch_id for each in arrivals if each.place in {"buffer", "merged"}), None)
    if newest is None:
        return None
    try:
        baseline = session.run(read_baseline_counts)
    except NoBaselineError:
        return None
    return Histogram(newest, baseline, session.run(read_histogram, newest))


def _storage(platform: Platform, sizes: Sequence[TableSize], batches: Sequence[int]) -> Storage:
    table = next((size for size in sizes if size.table == "public.ratings"), None)
    return Storage(
        used_bytes=sizes[0].bytes,
        budget_mb=platform.settings.storage_budget_mb,
        rows_per_week=round(sum(batches) / len(batches)) if batches else 0,
        bytes_per_rating=table.bytes / table.rows if table and table.rows else 0.0,
    )


def age(since: datetime, now: datetime) -> str:
    """Say how long ago something was, in the largest unit that fits."""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        number = int((now - since) / length)
        if number >= 1:
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"
