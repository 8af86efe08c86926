"""Sizes of the tables, and the weekly maintenance.

Here: sizes, vacuum, the archive of alerts. Not here: objects in the store (``storage``).
"""

from dataclasses import dataclass

import psycopg

from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, statement


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes; ``rows`` is the planner's estimate, None for the whole database."""

    table: str
    bytes: int
    rows: int | None


def read_table_sizes(connection: psycopg.Connection) -> list[TableSize]:
    """Return the whole database first, then each table, largest first."""
    return [TableSize(*row) for row in connection.execute(statement("status/select_table_sizes")).fetchall()]


def read_database_mb(connection: psycopg.Connection) -> float:
    """Return the size of the whole database in MB of 2^20 bytes, as Neon counts its 512."""
    return float(scalar(connection, "status/select_database_size") / 2**20)


def vacuum(connection: psycopg.Connection) -> None:
    """Run the weekly ``VACUUM ANALYZE``; the connection is in autocommit and in no transaction."""
    for order in statement("maintenance/vacuum_tables").split(";"):
        if order.strip():
            connection.execute(order.encode())


def count_old_alerts(connection: psycopg.Connection, days: int = 30) -> int:
    """Count the alerts that ``archive_alerts`` would move."""
    return int(scalar(connection, "maintenance/count_old_alerts", days=days))


def archive_alerts(connection: psycopg.Connection, days: int = 30) -> int:
    """Move alerts older than ``days`` into ``drift_alerts_archive``; return how many.

    Role ``ml_pipeline`` makes no tables, so under it the archive has to be there already.
    """
    with connection.transaction():
        lock(connection, "drift_alerts_archive")
        if not scalar(connection, "maintenance/has_alerts_archive"):
            connection.execute(statement("maintenance/create_alerts_archive"))
        return connection.execute(statement("maintenance/archive_alerts"), {"days": days}).rowcount
