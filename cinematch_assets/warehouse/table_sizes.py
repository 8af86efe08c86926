"""Sizes of the tables, the planner's statistics, and the weekly maintenance.

Here: sizes, vacuum, the archive of alerts. Not here: objects in the store (``storage``).
"""

import logging
from dataclasses import dataclass

import psycopg

from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, statement

_LOG = logging.getLogger(__name__)


BULK_ROWS = 10_000
"""From so many rows on, a load renews the planner's statistics itself."""


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
    """Run the weekly ``VACUUM ANALYZE``; the connection is in autocommit and in no transaction.

    Below Postgres 17 only an owner may vacuum: for others it is autovacuum's, and this renews the planner's statistics.
    """
    if not scalar(connection, "maintenance/may_vacuum"):
        _LOG.info("vacuum is left to autovacuum: below Postgres 17 only the tables' owner may run it")
        connection.execute(statement("maintenance/analyze_tables"))
        return
    for order in statement("maintenance/vacuum_tables").split(";"):
        if order.strip():
            connection.execute(order.encode())


def analyze_after_load(connection: psycopg.Connection, rows: int) -> None:
    """Renew the planner's statistics once so many ``rows`` were committed that plans depend on them.

    Autovacuum does so within minutes. Until then Postgres expects a handful of rows in a table that was empty, and what
    is read next joins them one by one: the training rows among a million ratings were not read within 8 minutes.
    """
    if rows >= BULK_ROWS:
        connection.execute(statement("maintenance/analyze_tables"))


def count_old_alerts(connection: psycopg.Connection, days: int = 30) -> int:
    """Count the alerts that ``archive_alerts`` would move."""
    return int(scalar(connection, "maintenance/count_old_alerts", days=days))


def archive_alerts(connection: psycopg.Connection, days: int = 30) -> int:
    """Move alerts older than ``days`` into ``drift_alerts_archive``; return how many."""
    with connection.transaction():
        lock(connection, "drift_alerts_archive")
        connection.execute(statement("maintenance/make_alerts_archive"))
        return connection.execute(statement("maintenance/archive_alerts"), {"days": days}).rowcount
