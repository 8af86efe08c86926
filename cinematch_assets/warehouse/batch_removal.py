"""A batch that a person takes out of the tables, and what was made with its rows.

Here: what depends on it, and the transaction that removes it. Not here: loading it again (``batches.load_batch``), the
batches that a promotion deletes (``champion``).
"""

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from cinematch_assets.actor import Actor
from cinematch_assets.errors import CinematchError
from cinematch_assets.table_names import BATCHES
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.landed_files import LandedFile
from cinematch_assets.warehouse.locks import lock, lock_batch
from cinematch_assets.warehouse.statements import statement


class NoSuchBatchError(CinematchError):
    """A batch is named that has no rows in the tables, or none that were removed."""


@dataclass(frozen=True, slots=True)
class Dependents:
    """What was made with the rows of a batch that is in the tables; ``place`` is buffer or merged."""

    place: str
    rows: int
    merged_by: str | None
    versions: list[str]
    """Versions that learned from it, oldest first."""
    champion: str | None
    users: int
    users_with_lists: int
    drift_scores: int
    decision: str | None

    @property
    def is_known_to_champion(self) -> bool:
        """Whether the version that serves learned from it."""
        return self.champion in self.versions


def read_dependents(connection: psycopg.Connection, batch_id: str) -> Dependents:
    """Return what depends on a batch.

    Raises:
        NoSuchBatchError: it has no rows in the tables.
    """
    with connection.cursor(row_factory=class_row(Dependents)) as cursor:
        found = cursor.execute(statement("batches/select_dependents"), {"batch_id": batch_id}).fetchone()
    if found is None or found.place == "deleted":
        raise NoSuchBatchError(f"{batch_id} has no rows in the tables: cinematch batches list shows those that have")
    return found


def remove_batch(connection: psycopg.Connection, batch_id: str, reason: str, by: Actor | None = None) -> int:
    """Delete a batch's rows, from the buffer or from ``ratings``, and mark its content removed; return how many.

    Its landed file stays in the store, and its drift scores and measured errors stay as history.

    Args:
        connection: autocommit; the transaction is opened here.
        batch_id: the batch.
        reason: why, for the audit.
        by: who the audit names; by default the user of this process.

    Raises:
        NoSuchBatchError: it has no rows in the tables.
    """
    with connection.transaction():
        lock_batch(connection, batch_id)
        before = read_dependents(connection, batch_id)
        merged = before.place == "merged"
        if merged:
            lock(connection, "ratings")
        delete = statement("batches/delete_merged_batch" if merged else "batches/delete_buffer_batch")
        rows = connection.execute(delete, {"batch_id": batch_id}).rowcount
        if merged:
            connection.execute(statement("drift/refresh_drift_baseline"))
        note = f"removed: {reason}; cinematch batches restore {batch_id} loads it again"
        values = {"batch_id": batch_id, "table": f"{BATCHES}/{batch_id}", "note": note}
        connection.execute(statement("batches/mark_batch_removed"), values)
        details = {"rows": rows, "place": before.place, "versions": before.versions}
        add_audit_entry(connection, Action.BATCH_REMOVAL, batch_id, reason, by, **details)
    return rows


def find_removed_content(connection: psycopg.Connection, batch_id: str) -> LandedFile:
    """Return the content of a batch that a person removed last.

    Raises:
        NoSuchBatchError: none was removed.
    """
    with connection.cursor(row_factory=class_row(LandedFile)) as cursor:
        values = {"table": f"{BATCHES}/{batch_id}"}
        found = cursor.execute(statement("files/select_removed_content"), values).fetchone()
    if found is None:
        raise NoSuchBatchError(f"{batch_id} was not removed: there is nothing to restore")
    return found
