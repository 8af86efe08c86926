"""What ``cinematch status`` shows: files, batches, champion, quarantine, storage, and what needs attention.

Here: which facts, and their tables. Not here: the queries (``warehouse.status``).
"""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from cinematch_assets.cli.output import out, print_table
from cinematch_assets.pipeline.attention import AttentionRow, attention
from cinematch_assets.pipeline.platform import Platform
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
    print_table(
        "Files",
        ("path", "state", "read", "accepted", "rejected", "landed"),
        [(f.path, f.state, f.rows_read, f.rows_accepted, f.rows_rejected, f.landed_at) for f in status.files],
    )
    _print_batches(status)
    if status.champion:
        metrics = status.champion.metrics or {}
        names = ("rmse", "mae", "precision_at_10", "catalogue_ndcg_at_10", "coverage")
        facts = {
            "version": status.champion.version,
            "since": status.champion.decided_at,
            "method": status.champion.method,
            "trained on": status.champion.data_size,
            **{name: metrics.get(name) for name in names},
        }
        print_table("Champion", ("", ""), facts.items())
    print_performance(status.performance)
    if status.rejected:
        rows = [(r.path, r.reason, r.rows, r.first_row) for r in status.rejected]
        print_table("Quarantine", ("path", "reason", "rows", "first row"), rows)
    if status.collection:
        print_table("Movie collection", ("state", "files"), status.collection.items())
    used = status.sizes[0].bytes / 2**20
    print_table(
        f"Storage: {used:.0f} of {status.budget_mb} MB ({used / status.budget_mb:.0%})",
        ("table", "MB", "rows, about"),
        [(size.table, round(size.bytes / 2**20, 2), size.rows) for size in status.sizes[1:8]],
    )


def print_performance(measured: list[BatchPerformance]) -> None:
    """Print how champions did on batches that they had not learned from, and how listed movies were rated in these."""
    if not measured:
        return
    print_table(
        "On new batches, before anything learned from them",
        ("batch", "rows", "champion", "rmse", "predecessor", "its rmse", "difference", "listed: 4+", "others: 4+"),
        [
            (
                each.batch_id,
                each.rows,
                each.champion,
                each.champion_rmse,
                each.predecessor,
                each.predecessor_rmse,
                _interval(each),
                _share(each.hit_rate, each.listed_rows),
                _share(each.unlisted_rate, each.unlisted_rows),
            )
            for each in measured
        ],
    )


def _interval(measured: BatchPerformance) -> str:
    if measured.difference is None or measured.low is None or measured.high is None:
        return ""
    return f"{measured.difference:+.2%} ({measured.low:+.2%} to {measured.high:+.2%})"


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
        _print_folded(f"• {row.what}{since}: {row.why}", style="bold" if row.needs_a_person else "")
        _print_folded(f"  next: {row.next_step}{again}")
    if not any(row.needs_a_person for row in status.attention):
        out.print("nothing needs attention")
    running = [
        work.work if work.work == work.kind else f"{work.kind} {work.work}"
        for work in status.outstanding
        if work.state == "running"
    ]
    if running:
        _print_folded(f"runs: {', '.join(running)}")
    if status.unseen_ratings:
        out.print(f"{status.unseen_ratings:,} ratings wait in the buffer for the next model")


def _print_batches(status: Status) -> None:
    """The newest batches, and how many there are in each state."""
    if not status.batches:
        return
    states = Counter(batch.status for batch in status.batches)
    counts = ", ".join(f"{number:,} {state}" for state, number in states.most_common())
    older = len(status.batches) - SHOWN_BATCHES
    title = f"Batches: {counts}" + (f"; the newest {SHOWN_BATCHES} of {len(status.batches):,}" if older > 0 else "")
    print_table(
        title,
        ("batch", "status", "rows", "location", "alerts", "retraining", "reason or outcome"),
        [
            (b.batch_id, b.status, b.record_count, b.place, b.triggered, b.state, b.outcome or b.reason or b.notes)
            for b in status.batches[-SHOWN_BATCHES:]
        ],
    )


def _print_folded(text: str, style: str = "") -> None:
    """Print a line folded to the terminal's width, and whole where a program reads it."""
    out.print(text, style=style, soft_wrap=not out.is_terminal)
