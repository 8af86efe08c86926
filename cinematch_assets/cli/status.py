"""``cinematch status``: everything at a glance.

Here: which facts, and how they are shown. Not here: the questions (``warehouse.status``).
"""

from dataclasses import asdict, dataclass
from typing import Any

from cinematch_assets.cli.output import out, print_table
from cinematch_assets.pipeline.models.artifacts import FormatStatus, champion_format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse import model_registry, status
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.connection import describe
from cinematch_assets.warehouse.drift_alerts import unseen_ratings, waiting_decisions
from cinematch_assets.warehouse.table_sizes import TableSize, storage


@dataclass(frozen=True, slots=True)
class Status:
    """What there is, and what waits."""

    database: str
    folder: str
    files: list[status.FileLine]
    batches: list[status.BatchLine]
    champion: model_registry.ModelVersion | None
    rejected: list[status.RejectedLine]
    collection: dict[str, int]
    sizes: list[TableSize]
    budget_mb: int
    waits: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_status(platform: Platform) -> Status:
    """Ask the warehouse."""
    with platform.warehouse.connect() as connection:
        champion = read_champion(connection)
        batches = status.batch_lines(connection)
        readable = champion is None or FormatStatus.of(champion) is FormatStatus.READABLE
        other_format = None if champion is None or readable else champion_format_message(connection, champion)
        return Status(
            database=describe(platform.warehouse.url),
            folder=platform.folder.spec,
            files=status.file_lines(connection),
            batches=batches,
            champion=champion,
            rejected=status.rejected_lines(connection),
            collection=status.collection_states(connection),
            sizes=storage(connection),
            budget_mb=platform.settings.storage_budget_mb,
            waits=[
                *(f"{d.batch_id} waits for a retraining: {d.reason}" for d in waiting_decisions(connection)),
                *(f"{b.batch_id} waits for a person: {b.notes}" for b in batches if b.status == "failed"),
                *(f"{b.batch_id} waits for a person: {b.outcome}" for b in batches if b.state == "failed"),
                *([f"{unseen_ratings(connection):,} ratings wait in the buffer"] if unseen_ratings(connection) else []),
                *([] if champion else ["a first model waits for ratings, or for the retraining sensor's next look"]),
                *([other_format] if other_format else []),
            ],
        )


def print_status(status: Status) -> None:
    """Show it as tables."""
    out.print(f"warehouse {status.database}, folder {status.folder}", highlight=False)
    print_table(
        "Files",
        ("path", "state", "read", "accepted", "rejected", "landed"),
        [(f.path, f.state, f.rows_read, f.rows_accepted, f.rows_rejected, f.landed_at) for f in status.files],
    )
    print_table(
        "Batches",
        ("batch", "status", "rows", "place", "alerts", "retraining", "reason or outcome"),
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
            "since": status.champion.judged_at,
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
    for wait in status.waits:
        out.print(f"• {wait}", highlight=False)
