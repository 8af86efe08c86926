"""What ``cinematch status`` shows: files, batches, champion, quarantine, storage, and what needs attention.

Here: which facts, and their tables. Not here: the queries (``warehouse.status``).
"""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cinematch_assets.cli.output import out, print_folded, print_table
from cinematch_assets.pipeline.attention import AttentionRow, attention
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.table_names import BATCHES
from cinematch_assets.values import Automation, OutstandingWork
from cinematch_assets.warehouse import status
from cinematch_assets.warehouse.batch_performance import BatchPerformance, list_batch_performance
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.drift_alerts import count_unseen_ratings
from cinematch_assets.warehouse.model_registry import ModelVersion
from cinematch_assets.warehouse.outstanding import list_outstanding
from cinematch_assets.warehouse.table_sizes import TableSize, read_table_sizes

SHOWN_BATCHES = 10
"""The newest ones; ``--json`` has all."""
SHOWN_REASONS = 10
SHORT_NAMES = {
    "rating_mean": "mean",
    "rating_std": "std",
    "rating_distribution_ks": "KS",
    "model_rmse": "RMSE",
    "model_mae": "MAE",
}
"""What the statistics are called where there is little place."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the platform; ``attention`` is what needs a person, then what waits."""

    database: str
    folder: str
    files: list[status.FileLine]
    batches: list[status.BatchLine]
    champion: ModelVersion | None
    performance: list[BatchPerformance]
    rejected: list[status.RejectedLine]
    collection: dict[str, int]
    sizes: list[TableSize]
    budget_mb: int
    outstanding: list[OutstandingWork]
    attention: list[AttentionRow]
    unseen_ratings: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_status(platform: Platform, automation: Automation | None = None) -> Status:
    """Read the state from the warehouse; ``automation`` are signs of life of sensors and daemon, None if not known."""
    with platform.warehouse.session() as session:
        return Status(
            database=platform.warehouse.describe(),
            folder=platform.folder.spec,
            files=session.run(status.list_files),
            batches=session.run(status.list_batches),
            champion=session.run(read_champion),
            performance=session.run(list_batch_performance),
            rejected=session.run(status.list_rejected_reasons),
            collection=session.run(status.count_collection_states),
            sizes=session.run(read_table_sizes),
            budget_mb=platform.settings.storage_budget_mb,
            outstanding=session.run(list_outstanding),
            attention=attention(platform, automation),
            unseen_ratings=session.run(count_unseen_ratings),
        )


def print_status(status: Status) -> None:
    """Print the state as tables, what needs attention first."""
    out.print(f"warehouse {status.database}, folder {status.folder}")
    _print_attention(status)
    _print_files(status)
    _print_batches(status)
    if status.champion:
        metrics = status.champion.metrics or {}
        names = ("rmse", "mae", "precision_at_10", "catalogue_ndcg_at_10", "coverage")
        facts = {
            "version": status.champion.version,
            "since": _minute(status.champion.decided_at),
            "method": status.champion.method,
            "trained on": count(status.champion.data_size, "rating"),
            **{name: "" if metrics.get(name) is None else f"{metrics[name]:.4f}" for name in names},
        }
        print_table("Champion", ("", ""), facts.items())
    print_performance(status.performance)
    if status.rejected:
        rows = [(r.path, r.reason, r.rows, r.first_row) for r in status.rejected[:SHOWN_REASONS]]
        print_table(
            _newest("Quarantine", len(status.rejected), SHOWN_REASONS), ("path", "reason", "rows", "first"), rows
        )
    if status.collection:
        print_table("Movie collection", ("state", "files"), status.collection.items())
    used = status.sizes[0].bytes / 2**20
    print_table(
        f"Storage: {used:.0f} of {status.budget_mb} MB ({used / status.budget_mb:.0%})",
        ("table", "MB", "rows, about"),
        [(size.table, f"{size.bytes / 2**20:.1f}", size.rows) for size in status.sizes[1:8]],
    )


def print_performance(measured: list[BatchPerformance]) -> None:
    """Print how champions did on batches that they had not learned from, and how listed movies were rated in these."""
    if not measured:
        return
    newest = measured[-SHOWN_BATCHES:]
    print_table(
        _newest("RMSE on new batches, before anything learned from them", len(measured), SHOWN_BATCHES),
        ("batch", "rows", "champion", "before", "difference"),
        [
            (
                each.batch_id,
                each.rows,
                f"{each.champion_rmse:.4f} ({short_version(each.champion)})",
                "" if each.predecessor is None else f"{each.predecessor_rmse:.4f} ({short_version(each.predecessor)})",
                _interval(each),
            )
            for each in newest
        ],
    )
    listed = [each for each in newest if each.hit_rate is not None]
    if listed:
        print_table(
            "Share of ratings with 4 stars and more on new batches",
            ("batch", "movies of the lists", "other movies"),
            [
                (each.batch_id, _share(each.hit_rate, each.listed_rows), _share(each.unlisted_rate, each.unlisted_rows))
                for each in listed
            ],
        )


def short_version(version: str) -> str:
    """Return ``v3`` for ``run_1a2b3c4d_v3``, which is how people speak of it."""
    return version.rpartition("_")[2]


def _newest(title: str, number: int, shown: int) -> str:
    return f"{title}; the newest {shown} of {number:,}" if number > shown else title


def _minute(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"


def _interval(measured: BatchPerformance) -> str:
    if measured.difference is None or measured.low is None or measured.high is None:
        return ""
    return f"{measured.difference:+.1%} ({measured.low:+.1%} to {measured.high:+.1%})"


def _share(share: float | None, rows: int | None) -> str:
    return "" if share is None else f"{share:.0%} of {rows:,}"


def _print_attention(status: Status) -> None:
    """What needs a person, then what waits, each with its next step; then what runs."""
    waiting = False
    for row in status.attention:
        if not row.needs_a_person and not waiting:
            waiting = True
            out.print("Waits, and goes on by itself:")
        since = f", since {row.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if row.since else ""
        again = f" (at {row.retry_at.astimezone(UTC):%H:%M:%S} UTC)" if row.retry_at else ""
        print_folded(f"• {row.what}{since}: {row.sentence}", style="bold" if row.needs_a_person else "")
        print_folded(f"  next: {row.next_step}{again}")
    if not any(row.needs_a_person for row in status.attention):
        out.print("nothing needs attention")
    running = [work.name for work in status.outstanding if work.state == "running"]
    if running:
        print_folded(f"runs: {', '.join(running)}")
    if status.unseen_ratings:
        wait = "waits" if status.unseen_ratings == 1 else "wait"
        out.print(f"{count(status.unseen_ratings, 'rating')} {wait} in the buffer for the next model")


def _print_files(status: Status) -> None:
    """Files that are no batches: those have a table of their own."""
    files = [each for each in status.files if not each.path.startswith(f"{BATCHES}/")]
    if files:
        print_table(
            "Files",
            ("path", "state", "read", "accepted", "rejected", "landed"),
            [
                (f.path, f.state, f.rows_read, f.rows_accepted, f.rows_rejected, _minute(f.landed_at.astimezone(UTC)))
                for f in files
            ],
        )


def _print_batches(status: Status) -> None:
    """The newest batches, how many there are in each state, and the reason of the newest decision."""
    if not status.batches:
        return
    states = Counter(batch.status for batch in status.batches)
    counts = ", ".join(f"{number:,} {state}" for state, number in states.most_common())
    shown = status.batches[-SHOWN_BATCHES:]
    print_table(
        _newest(f"Batches: {counts}", len(status.batches), SHOWN_BATCHES),
        ("batch", "status", "rows", "place", "over the limit", "retraining"),
        [
            (b.batch_id, b.status, b.record_count, b.place, short_names(b.triggered), (b.state or "").replace("_", " "))
            for b in shown
        ],
    )
    said = next((b for b in reversed(shown) if b.outcome or b.reason or b.notes), None)
    if said is not None:
        text = str(said.outcome or said.reason or said.notes).removeprefix(f"{said.batch_id}: ")
        print_folded(f"{said.batch_id}: {text}")


def short_names(statistics: str | None) -> str:
    """Return the statistics of a batch in a word each."""
    return ", ".join(SHORT_NAMES.get(name, name) for name in statistics.split(", ")) if statistics else ""
