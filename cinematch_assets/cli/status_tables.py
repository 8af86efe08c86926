"""What ``cinematch status`` shows: files, batches, champion, quarantine, storage, and what needs attention.

Here: which facts, and their tables. Not here: the queries (``warehouse.status``).
"""

from dataclasses import asdict, dataclass
from typing import Any

from cinematch_assets.cli.output import out, print_table
from cinematch_assets.pipeline.models.artifacts import FormatStatus, champion_format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse import status
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.drift_alerts import count_unseen_ratings, list_waiting_decisions
from cinematch_assets.warehouse.model_registry import ModelVersion
from cinematch_assets.warehouse.table_sizes import TableSize, read_table_sizes


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the platform; ``needs_attention`` are messages."""

    database: str
    folder: str
    files: list[status.FileLine]
    batches: list[status.BatchLine]
    champion: ModelVersion | None
    rejected: list[status.RejectedLine]
    collection: dict[str, int]
    sizes: list[TableSize]
    budget_mb: int
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
        other_format = None
        if champion is not None and FormatStatus.of(champion) is not FormatStatus.READABLE:
            other_format = champion_format_message(platform, champion)
        return Status(
            database=platform.warehouse.describe(),
            folder=platform.folder.spec,
            files=session.run(status.list_files),
            batches=batches,
            champion=champion,
            rejected=session.run(status.list_rejected_reasons),
            collection=session.run(status.count_collection_states),
            sizes=session.run(read_table_sizes),
            budget_mb=platform.settings.storage_budget_mb,
            needs_attention=[
                *(f"{d.batch_id} waits for a retraining: {d.reason}" for d in session.run(list_waiting_decisions)),
                *(f"{b.batch_id} needs attention: {b.notes}" for b in batches if b.status == "failed"),
                *(f"{b.batch_id} needs attention: {b.outcome}" for b in batches if b.state == "failed"),
                *([f"{unseen:,} ratings wait in the buffer"] if unseen else []),
                *([] if champion else ["there is no champion yet: the sensors train one when ratings are loaded"]),
                *([other_format] if other_format else []),
            ],
        )


def print_status(status: Status) -> None:
    """Print the state as tables."""
    out.print(f"warehouse {status.database}, folder {status.folder}")
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
    if status.needs_attention:
        out.print("Needs attention", style="bold")
    for message in status.needs_attention:
        out.print(f"• {message}")
