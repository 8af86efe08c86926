"""Locks by name, each held until the end of a transaction.

Here: waiting for one. Not here: rows that are locked while a worker has them (``collection_ledger``). A lock of the
transaction works behind a pooler, and goes with a process that is killed.
"""

import logging
import time

import psycopg

from cinematch_assets.warehouse.statements import statement

_LOG = logging.getLogger(__name__)
_LONG_WAIT_S = 1.0


def lock(connection: psycopg.Connection, name: str) -> None:
    """Wait until no other transaction has the lock ``name``; it is held until the caller's transaction ends."""
    start = time.perf_counter()
    connection.execute(statement("maintenance/lock_name"), {"name": name})
    waited_s = time.perf_counter() - start
    if waited_s >= _LONG_WAIT_S:
        _LOG.info("waited %.1f s for the lock %s", waited_s, name)


def lock_batch(connection: psycopg.Connection, batch_id: str) -> None:
    """Lock a batch against changes by others until the transaction ends."""
    lock(connection, f"batch:{batch_id}")
