"""Locks by name, each held until the end of a transaction.

Here: waiting for one. Not here: rows that are locked while a worker has them (``collection_ledger``). A lock of the
transaction works behind a pooler, and goes with a process that is killed.
"""

import logging
import time

import psycopg
from psycopg import errors

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.warehouse.statements import statement

_LOG = logging.getLogger(__name__)
_LONG_WAIT_S = 1.0
TIMEOUT_S = 300.0
"""Longer than any load; the analyst may take locks too, and is not waited for without end."""


class LockHeldError(SurroundingsError):
    """Another session keeps a lock."""


def lock(connection: psycopg.Connection, name: str) -> None:
    """Wait until no other transaction has the lock ``name``; it is held until the caller's transaction ends.

    Raises:
        LockHeldError: after ``TIMEOUT_S``, naming the session that has it.
    """
    if connection.execute(statement("maintenance/try_lock_name"), {"name": name}).fetchone() == (True,):
        return
    start = time.perf_counter()
    holder = connection.execute(statement("maintenance/select_lock_holder"), {"name": name}).fetchone()
    try:
        connection.execute(statement("maintenance/lock_name"), {"name": name, "timeout": f"{TIMEOUT_S * 1_000:.0f}"})
    except errors.LockNotAvailable as held:
        application, user, pid = holder or ("another session", "unknown", "?")
        raise LockHeldError(
            f"{application!r} of user {user} (process {pid} of the server) has kept the lock {name} for more than "
            f"{TIMEOUT_S:.0f} s: wait for it, or end it with SELECT pg_terminate_backend({pid}); nothing was changed"
        ) from held
    waited_s = time.perf_counter() - start
    if waited_s >= _LONG_WAIT_S:
        _LOG.info("waited %.1f s for the lock %s", waited_s, name)


def lock_batch(connection: psycopg.Connection, batch_id: str) -> None:
    """Lock a batch against changes by others until the transaction ends."""
    lock(connection, f"batch:{batch_id}")
