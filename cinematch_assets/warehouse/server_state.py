"""What a Postgres server tells about itself before anything is read from its tables.

Here: version, missing migrations, size. Not here: opening the warehouse, which refuses an old schema
(``warehouse.open_warehouse``).
"""

from dataclasses import dataclass

from cinematch_assets.warehouse.connection import connect, describe
from cinematch_assets.warehouse.migrations import list_pending_migrations
from cinematch_assets.warehouse.table_sizes import read_database_mb


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that answers; ``address`` is ``host:port/database``."""

    address: str
    version: int
    missing_migrations: tuple[str, ...]
    size_mb: float


def read_server_state(url: str) -> ServerState:
    """Ask the server, without changing anything.

    Raises:
        WarehouseUnavailableError: It cannot be reached.
    """
    with connect(url, application="cinematch doctor") as connection:
        version = connection.info.server_version // 10_000
        size_mb = read_database_mb(connection)
    return ServerState(describe(url), version, list_pending_migrations(url), size_mb)
