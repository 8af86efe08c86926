"""Keep the warehouse small and the store free of what nothing refers to.

Here: the weekly round. Not here: its SQL (``warehouse.table_sizes``).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.landed_files import referenced_objects
from cinematch_assets.warehouse.table_sizes import TableSize, archive_alerts, storage, vacuum

_UNFINISHED = timedelta(days=1)
_PREFIXES = ("landed/", "reports/", "models/", "recommendations/")


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What a round did, and what the warehouse weighs after it."""

    archived_alerts: int
    deleted_objects: int
    freed_mb: float
    sizes: tuple[TableSize, ...]


def maintain(platform: Platform) -> MaintenanceReport:
    """Archive old alerts, vacuum, drop what nobody refers to and what nobody finished; safe to run twice or cut off."""
    days = platform.settings.keep_days
    with platform.warehouse.connect() as connection:
        archived = archive_alerts(connection, days)
        vacuum(connection)
        sizes = tuple(storage(connection))
    platform.store.remove_abandoned(_UNFINISHED)
    deleted, freed = _drop_unreferenced(platform, timedelta(days=days))
    return MaintenanceReport(archived, deleted, freed / 2**20, sizes)


def _drop_unreferenced(platform: Platform, age: timedelta) -> tuple[int, int]:
    with platform.warehouse.connect() as connection:
        kept = referenced_objects(connection)
    oldest = datetime.now(UTC) - age
    deleted = freed = 0
    for prefix in _PREFIXES:
        for key in list(platform.store.keys(prefix)):
            if key not in kept and platform.store.written_at(key) < oldest:
                freed += platform.store.size(key)
                platform.store.delete(key)
                deleted += 1
    return deleted, freed
