"""Whether two URLs lead to one database, asked of the servers: names, poolers and addresses do not tell.

Here: the question. Not here: what the URLs themselves show (``settings``).
"""

import secrets

from cinematch_assets.settings import ONE_DATABASE, InvalidSettingError
from cinematch_assets.warehouse.connection import connect


def require_distinct_databases(warehouse_url: str, dagster_url: str) -> None:
    """Refuse the same database for warehouse and Dagster; nothing is written.

    A lock that one connection holds and the other cannot get is in one database: locks of this kind are a database's
    own, need no privilege, and pass poolers.

    Raises:
        InvalidSettingError: It is the same one.
        WarehouseUnavailableError: One of them cannot be reached.
    """
    key = secrets.randbits(62)
    with (
        connect(warehouse_url, application="cinematch compare") as warehouse,
        connect(dagster_url, application="cinematch compare") as dagster,
        warehouse.transaction(),
        dagster.transaction(),
    ):
        warehouse.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        if dagster.execute("SELECT pg_try_advisory_xact_lock(%s)", [key]).fetchone() == (False,):
            raise InvalidSettingError(ONE_DATABASE)
