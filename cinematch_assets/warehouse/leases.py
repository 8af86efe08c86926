"""Leases: work that only one process may do at a time, whichever machine it is on.

Here: taking, renewing and returning one, as rows of ``ops.leases``. Not here: locks for the length of a transaction
(``locks``). A session's lock would not do: PgBouncer in transaction mode hands each transaction to another session.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class Lease:
    """Who does the work, in which run, since when."""

    holder: str
    run_id: str
    since: datetime


class LeaseHeldError(SurroundingsError):
    """Another run does the work."""


def find_lease(connection: psycopg.Connection, name: str) -> Lease | None:
    """Return the lease that holds now, None without one."""
    with connection.cursor(row_factory=class_row(Lease)) as cursor:
        return cursor.execute(statement("maintenance/select_lease"), {"name": name}).fetchone()


def take_lease(connection: psycopg.Connection, name: str, holder: str, run_id: str, seconds: float) -> None:
    """Take a lease, or extend it if ``run_id`` has it: it ends by itself after ``seconds``.

    Raises:
        LeaseHeldError: naming the holder.
    """
    values = {"name": name, "holder": holder, "run_id": run_id, "seconds": seconds}
    if connection.execute(statement("maintenance/upsert_lease"), values).rowcount == 1:
        return
    other = find_lease(connection, name)
    by = f"{other.holder}, run {other.run_id[:8]}, since {other.since:%H:%M:%S %Z}" if other else "another run"
    raise LeaseHeldError(f"{name} is under way by {by}: nothing was done here")


def return_lease(connection: psycopg.Connection, name: str, run_id: str) -> None:
    """End a lease if ``run_id`` has it."""
    connection.execute(statement("maintenance/delete_lease"), {"name": name, "run_id": run_id})
