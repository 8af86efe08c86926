"""Batches of ratings, in the buffer or merged into ``ratings``; each is loaded completely or not at all.

Here: loading, replacing and failing one. Not here: reading its file (``reading``), merging it (``champion``, because
only a promotion does that).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from cinematch_assets.actor import Actor
from cinematch_assets.plurals import count
from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.copy import copy_columns
from cinematch_assets.warehouse.landed_files import CORRECT, LandedFile, finish_loaded_file
from cinematch_assets.warehouse.locks import lock, lock_batch
from cinematch_assets.warehouse.notifications import about_work, record_notification, without_cells
from cinematch_assets.warehouse.ratings import rating_columns
from cinematch_assets.warehouse.statements import scalar, statement
from cinematch_assets.warehouse.suppressed_users import require_suppressed
from cinematch_assets.warehouse.table_loads import LoadRules
from cinematch_assets.warehouse.table_sizes import analyze_after_load

_BUFFER = sql.Identifier("ratings_buffer")


@dataclass(frozen=True, slots=True)
class Batch:
    """The content of a batch in the tables; ``place`` is buffer, merged or deleted."""

    batch_id: str
    md5: str
    rows: int
    place: str


@dataclass(frozen=True, slots=True)
class BatchLoad:
    """What loading a batch did. The same content again changes nothing: 0 inserted, 0 deleted."""

    batch_id: str
    place: str
    inserted: int
    deleted: int
    rows: int


@dataclass(frozen=True, slots=True)
class UnfinishedBatch:
    """A loaded content of a batch that lacks its assessment, or only its report."""

    batch_id: str
    md5: str
    is_assessed: bool
    loaded_at: datetime


def list_unfinished_batches(connection: psycopg.Connection) -> list[UnfinishedBatch]:
    """Return the batches that are loaded and not finished, by batch_id."""
    with connection.cursor(row_factory=class_row(UnfinishedBatch)) as cursor:
        return cursor.execute(statement("batches/select_unfinished_batches")).fetchall()


def mark_batch_reported(connection: psycopg.Connection, batch_id: str, md5: str) -> None:
    """Record that the report of a batch's content is in the store."""
    connection.execute(statement("batches/mark_batch_reported"), {"batch_id": batch_id, "md5": md5})


def read_stored_batch(connection: psycopg.Connection, batch_id: str) -> Batch | None:
    """Return the batch as it is in the tables, None if it is in none."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(statement("batches/select_batch"), {"batch_id": batch_id}).fetchone()


def start_batch(connection: psycopg.Connection, batch_id: str, file: LandedFile) -> None:
    """Set status ``in_progress``, unless this content is in the tables already.

    Waits for another process that is loading the batch; otherwise its ``completed`` could be overwritten.
    """
    values = {"batch_id": batch_id, "md5": file.md5, "note": f"Loading {file.path} ({file.md5[:8]})"}
    with connection.transaction():
        lock_batch(connection, batch_id)
        connection.execute(statement("batches/start_batch"), values)


def fail_batch(connection: psycopg.Connection, batch_id: str, reason: str, file: LandedFile | None = None) -> None:
    """Set status ``failed`` with its reason. Rows of an earlier content stay, and record_count counts them.

    Changes nothing when another worker has loaded this content of ``file`` meanwhile.
    """
    values = {"batch_id": batch_id, "note": reason, "md5": None if file is None else file.md5}
    with connection.transaction():
        lock_batch(connection, batch_id)
        failed = connection.execute(statement("batches/fail_batch"), values).rowcount == 1
        if failed and file is not None:
            record_notification(
                connection,
                "batch failed",
                f"{batch_id} failed",
                without_cells(reason),
                next_step=CORRECT,
                about=about_work("batch", batch_id, file.md5),
            )


def load_batch(
    connection: psycopg.Connection,
    batch_id: str,
    ratings: pd.DataFrame,
    file: LandedFile,
    rejected: Sequence[RejectedRow] = (),
    by: Actor | None = None,
    suppressed: int = 0,
    *,
    rules: LoadRules | None = None,
    restored: str | None = None,
) -> BatchLoad:
    """Replace the batch's rows by these: in the buffer, or in ``ratings`` if it was merged.

    Rows, status, ledger and quarantine change in one transaction. Two workers on one batch: the second waits for the
    first and finds it done.

    Args:
        connection: autocommit; the transaction is opened here.
        batch_id: the partition.
        ratings: userId, movieId, rating, timestamp; shape (n, 4).
        file: the content they come from.
        rejected: the rows of it that go into the quarantine.
        by: who the audit names when it replaces another content; by default the user of this process.
        suppressed: how many erased users the file was read without; see ``suppressed_users.require_suppressed``.
        rules: which movies the rows were checked against.
        restored: why a content that was removed is loaded again; without it that is left alone.
    """
    with connection.transaction():
        lock_batch(connection, batch_id)
        existing = read_stored_batch(connection, batch_id)
        is_back = restored is not None and existing is not None and existing.place == "deleted"
        if existing is not None and existing.md5 == file.md5 and not is_back:
            return BatchLoad(batch_id, existing.place, inserted=0, deleted=0, rows=existing.rows)
        merged = existing is not None and existing.place == "merged"
        deleted = _replace_merged(connection, batch_id, ratings) if merged else _replace(connection, batch_id, ratings)
        values = {
            "batch_id": batch_id,
            "md5": file.md5,
            "rows": len(ratings),
            "place": "merged" if merged else "buffer",
            "newest_timestamp": int(ratings["timestamp"].max()) if len(ratings) else None,
            "note": _note(file, rejected),
        }
        connection.execute(statement("batches/upsert_batch"), values)
        connection.execute(statement("batches/complete_batch"), values)
        connection.execute(statement("drift/supersede_decisions"), values)
        finish_loaded_file(connection, file, "ratings_buffer", len(ratings), rejected, batch_id, rules=rules)
        if restored is not None:
            add_audit_entry(connection, Action.BATCH_RESTORE, batch_id, restored, by, md5=file.md5, rows=len(ratings))
        elif existing is not None:
            why, contents = f"{file.path} has another content", {"old": existing.md5, "new": file.md5}
            add_audit_entry(connection, Action.CORRECTION, batch_id, why, by, **contents, rows=len(ratings))
        require_suppressed(connection, suppressed)
    analyze_after_load(connection, len(ratings))
    return BatchLoad(batch_id, str(values["place"]), inserted=len(ratings), deleted=deleted, rows=len(ratings))


def confirm_batch(connection: psycopg.Connection, batch: Batch, file: LandedFile) -> None:
    """Set status ``completed`` again of a batch whose content is in the tables, if it has another status."""
    note = f"{file.path} ({file.md5[:8]}) is loaded"
    connection.execute(
        statement("batches/confirm_batch"), {"batch_id": batch.batch_id, "rows": batch.rows, "note": note}
    )


def _replace(connection: psycopg.Connection, batch_id: str, ratings: pd.DataFrame) -> int:
    deleted = connection.execute(statement("batches/delete_buffer_batch"), {"batch_id": batch_id}).rowcount
    columns = rating_columns(ratings)
    loaded_at = scalar(connection, "batches/select_load_time")  # one time for the whole batch
    columns["ingested_at"] = np.full(len(ratings), loaded_at, np.int64)
    copy_columns(connection, _BUFFER, columns, {"batch_id": batch_id})
    return deleted


def _replace_merged(connection: psycopg.Connection, batch_id: str, ratings: pd.DataFrame) -> int:
    lock(connection, "ratings")
    deleted = connection.execute(statement("batches/delete_merged_batch"), {"batch_id": batch_id}).rowcount
    copy_columns(
        connection, sql.Identifier("ratings"), rating_columns(ratings), {"data_split": "train", "batch_id": batch_id}
    )
    connection.execute(statement("drift/refresh_drift_baseline"))
    return deleted


def _note(file: LandedFile, rejected: Sequence[RejectedRow]) -> str:
    loaded = f"{file.path} ({file.md5[:8]}) loaded"
    return f"{loaded}; {count(len(rejected), 'row')} rejected, see ops.rejected_rows" if rejected else loaded
