"""What a scrape by Prometheus reads: the part of the page's facts that is cheap, every quarter of a minute.

Here: reading it, by the functions that the page and ``status`` use. Not here: names and units
(``pipeline.monitoring.metric_families``), facts that take a walk through the ratings (``pipeline.monitoring.facts``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cinematch_assets.messaging.channels import read_channels
from cinematch_assets.pipeline.attention import attention
from cinematch_assets.pipeline.export_registry import keys_in_use
from cinematch_assets.pipeline.monitoring.facts import Champion, champion_of, read_drift
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import BATCHES, table_of
from cinematch_assets.values import Automation
from cinematch_assets.warehouse import monitoring as rows
from cinematch_assets.warehouse import status
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.conditions import Freshness, read_freshness
from cinematch_assets.warehouse.drift_alerts import count_unseen_ratings, list_waiting_decisions
from cinematch_assets.warehouse.model_registry import ModelVersion, list_model_versions
from cinematch_assets.warehouse.notification_messages import ChannelState, list_channel_states
from cinematch_assets.warehouse.warehouse import Session

NEWEST_BATCHES = 5
"""Batches that have series of their own: a year of weeks would be a hundred series for each metric."""


@dataclass(slots=True)
class RowCounts:
    """Rows of the newest content of files."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0

    def add(self, line: status.FileLine) -> None:
        """Add a file's numbers; one that is not read yet has none."""
        self.read += line.rows_read or 0
        self.accepted += line.rows_accepted or 0
        self.rejected += line.rows_rejected or 0


@dataclass(frozen=True, slots=True)
class ScrapeFacts:
    """The state of the warehouse at ``read_at``."""

    read_at: datetime
    needs_a_person: int
    waiting: int
    row_counts: dict[str, RowCounts]
    """By kind of file: ``movies``, ``ratings``, ``batches``."""
    batches: dict[str, int]
    """Number of batches by the state of their load."""
    newest: list[rows.Arrival]
    """The newest batches, newest first."""
    drift: list[rows.DriftScore]
    """Of the same batches."""
    champion: Champion | None
    version: ModelVersion | None
    """The champion's row of the registry."""
    freshness: Freshness
    budget_bytes: int
    unseen_ratings: int
    retraining_due_since: datetime | None
    """When the oldest decision to retrain was made that has no outcome yet."""
    channels: list[ChannelState] = field(default_factory=list)


def read_scrape_facts(
    platform: Platform, automation: Automation | None = None, *, now: datetime | None = None
) -> ScrapeFacts:
    """Read everything in one session, beside the one of ``attention``.

    Raises:
        WarehouseUnavailableError: see ``warehouse.connection``.
    """
    channels = [channel.key for channel in read_channels(platform.settings.notify).usable] + keys_in_use(platform)
    with platform.warehouse.session() as session:
        version = session.run(read_champion)
        newest = session.run(rows.list_arrivals)[:NEWEST_BATCHES]
        attended = attention(platform, automation)
        return ScrapeFacts(
            read_at=now or datetime.now(UTC),
            needs_a_person=sum(each.needs_a_person for each in attended),
            waiting=sum(not each.needs_a_person for each in attended),
            row_counts=_rows_by_table(session.run(status.list_files)),
            batches=dict(Counter(each.status for each in session.run(status.list_batches))),
            newest=newest,
            drift=read_drift(session, newest),
            champion=_champion(session, version) if version else None,
            version=version,
            freshness=session.run(read_freshness),
            budget_bytes=platform.settings.storage_budget_mb * 2**20,
            unseen_ratings=session.run(count_unseen_ratings),
            retraining_due_since=min(
                (each.decided_at for each in session.run(list_waiting_decisions) if each.decided_at), default=None
            ),
            channels=session.run(list_channel_states, channels),
        )


def _champion(session: Session, version: ModelVersion) -> Champion:
    return champion_of(version, session.run(rows.list_champion_changes), session.run(list_model_versions))


def _rows_by_table(files: Sequence[status.FileLine]) -> dict[str, RowCounts]:
    counts: dict[str, RowCounts] = {}
    for line in files:
        table = table_of(line.path)
        counts.setdefault(BATCHES if table.startswith(f"{BATCHES}/") else table, RowCounts()).add(line)
    return counts
