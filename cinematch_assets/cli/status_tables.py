"""What ``cinematch status`` shows: files, batches, champion, quarantine, storage, and what needs attention.

Here: which facts, and their tables. Not here: the queries (``warehouse.status``).
"""

from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from cinematch_assets.cli.output import out, print_table
from cinematch_assets.pipeline.models.artifacts import FormatStatus, champion_format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import OutstandingWork
from cinematch_assets.warehouse import status
from cinematch_assets.warehouse.batch_performance import BatchPerformance, list_batch_performance
from cinematch_assets.warehouse.batches import list_unfinished_batches
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.drift_alerts import count_unseen_ratings
from cinematch_assets.warehouse.model_registry import ModelVersion
from cinematch_assets.warehouse.outstanding import list_outstanding
from cinematch_assets.warehouse.table_sizes import TableSize, read_table_sizes


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the platform. ``outstanding`` is work that is not done, ``needs_attention`` are further messages."""

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
    needs_attention: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_status(platform: Platform) -> Status:
    """Read the state from the warehouse."""
    with platform.warehouse.session() as session:
        champion = session.run(read_champion)
        batches = session.run(status.list_batches)
        unseen = session.run(count_unseen_ratings)
        left_out = [batch.batch_id for batch in session.run(list_unfinished_batches) if not batch.is_assessed]
        other_format = None
        if champion is not None and FormatStatus.of(champion) is not FormatStatus.READABLE:
            other_format = champion_format_message(platform, champion)
        return Status(
            database=platform.warehouse.describe(),
            folder=platform.folder.spec,
            files=session.run(status.list_files),
            batches=batches,
            champion=champion,
            performance=session.run(list_batch_performance),
            rejected=session.run(status.list_rejected_reasons),
            collection=session.run(status.count_collection_states),
            sizes=session.run(read_table_sizes),
            budget_mb=platform.settings.storage_budget_mb,
            outstanding=session.run(list_outstanding),
            needs_attention=[
                *([f"{unseen:,} ratings wait in the buffer"] if unseen else []),
                *([f"{', '.join(left_out)}: loaded and not assessed yet, so not trained on"] if left_out else []),
                *([other_format] if other_format else []),
            ],
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
    print_table(
        "Batches",
        ("batch", "status", "rows", "location", "alerts", "retraining", "reason or outcome"),
        [
            (b.batch_id, b.status, b.record_count, b.place, b.triggered, b.state, b.outcome or b.reason or b.notes)
            for b in status.batches
        ],
    )
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
    """What needs a person, what waits and what runs, each with its next step."""
    for row in status.outstanding:
        again = f" (at {row.retry_at.astimezone(UTC):%H:%M:%S} UTC)" if row.retry_at else ""
        name = row.work if row.work == row.kind else f"{row.kind} {row.work}"
        out.print(f"• {name}, {row.state.replace('_', ' ')}: {row.reason}", style="bold" if row.needs_a_person else "")
        out.print(f"  next: {row.next_step}{again}")
    for message in status.needs_attention:
        out.print(f"• {message}")
