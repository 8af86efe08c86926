"""Keep the warehouse small, and the store free of objects that nothing refers to.

Here: what one maintenance run does. Not here: its SQL (``warehouse.table_sizes``).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.models.export_recommendations import keys_in_use
from cinematch_assets.pipeline.models.rebuild_version import needed_loads
from cinematch_assets.pipeline.models.trained_from import TrainedFrom
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.landed_files import list_referenced_objects
from cinematch_assets.warehouse.model_registry import list_kept_trainings
from cinematch_assets.warehouse.notifications import delete_old_notifications
from cinematch_assets.warehouse.table_loads import RecordedLoad, delete_loads, list_loads
from cinematch_assets.warehouse.table_sizes import (
    TableSize,
    archive_alerts,
    count_old_alerts,
    read_database_mb,
    read_table_sizes,
    vacuum,
)

_MIN_UNFINISHED_AGE = timedelta(days=1)
_PREFIXES = ("landed/", "reports/", "models/", "recommendations/", "exports/", "spark/")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What a maintenance run did, or would do if ``dry_run``, and the sizes of database and tables after it."""

    dry_run: bool
    archived_alerts: int
    deleted_objects: int
    freed_mb: float
    used_mb: float
    sizes: tuple[TableSize, ...]

    def as_metadata(self) -> dict[str, int | float]:
        """Return the counts and sizes, without those of single tables."""
        return {
            "dry_run": self.dry_run,
            "archived_alerts": self.archived_alerts,
            "deleted_objects": self.deleted_objects,
            "freed_mb": round(self.freed_mb, 1),
            "used_mb": round(self.used_mb, 1),
        }


def run_maintenance(platform: Platform, *, keep_days: int | None = None, dry_run: bool = False) -> MaintenanceReport:
    """Archive old alerts, vacuum, delete unreferenced objects and unfinished writes; can be repeated at any time.

    Args:
        platform: what is maintained.
        keep_days: days that alerts and unreferenced objects are kept; by default the setting.
        dry_run: count only, and change nothing.
    """
    days = platform.settings.keep_days if keep_days is None else keep_days
    with platform.warehouse.session() as session:
        if dry_run:
            archived = session.run(count_old_alerts, days)
        else:
            archived = session.run(archive_alerts, days)
            session.run(delete_old_notifications, days)
            with log_phase(_LOG, "vacuum"):
                session.run(vacuum)
        used = session.run(read_database_mb)
        sizes = tuple(session.run(read_table_sizes))
    if not dry_run:
        platform.store.remove_abandoned(_MIN_UNFINISHED_AGE)
    kept = list_kept_loads(platform, days)
    with log_phase(_LOG, "count unreferenced objects" if dry_run else "delete unreferenced objects"):
        deleted, freed = _delete_unreferenced(platform, kept, timedelta(days=days), dry_run=dry_run)
    if not dry_run:
        platform.warehouse.run(delete_loads, [load.id for load in kept], days)
    return MaintenanceReport(dry_run, archived, deleted, freed / 2**20, used, sizes)


def list_kept_loads(platform: Platform, days: int) -> list[RecordedLoad]:
    """Return the loads that the tables, and versions within ``days``, are from."""
    with platform.warehouse.session() as session:
        loads = session.run(list_loads)
        trainings = session.run(list_kept_trainings, days)
    known = {load.id for load in loads}
    kept: dict[int, RecordedLoad] = {}
    newest = {load.for_table: load.id for load in loads}
    for last in (newest, *(TrainedFrom.from_dict(trained).loads for trained in trainings.values())):
        if known.issuperset(last.values()):
            kept |= {load.id: load for load in needed_loads(loads, last)}
    return list(kept.values())


def _delete_unreferenced(
    platform: Platform, kept: Sequence[RecordedLoad], min_age: timedelta, *, dry_run: bool
) -> tuple[int, int]:
    """Delete objects that no row refers to, or only count them; return their number and bytes."""
    referenced = platform.warehouse.run(list_referenced_objects) | keys_in_use(platform.store)
    referenced |= {str(load.store_key) for load in kept}
    newest = datetime.now(UTC) - min_age
    deleted = freed = 0
    for prefix in _PREFIXES:
        for key in list(platform.store.keys(prefix)):
            if key not in referenced and platform.store.written_at(key) < newest:
                freed += platform.store.size(key)
                if not dry_run:
                    platform.store.delete(key)
                deleted += 1
    return deleted, freed
