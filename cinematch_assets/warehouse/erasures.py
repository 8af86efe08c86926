"""Erasures: what was done for each, and deleting people's rows from every table.

Here: rows of ``ops.erasures`` and the transactions of its steps. Not here: the list of people (``suppressed_users``),
the order of the steps (``pipeline.erasure``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cinematch_assets.actor import Actor
from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets.warehouse.ratings import split_again
from cinematch_assets.warehouse.statements import scalar, single_row, statement
from cinematch_assets.warehouse.suppressed_users import suppress_users

STEPS = ("dagster", "files", "tables", "model", "versions", "exports", "reports", "vacuum")
"""Steps of an erasure, in their order."""


class NoErasureError(CinematchError):
    """There is no such erasure."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was done, when and by whom, and the two hashes: the certificate. Nothing in it is about a person."""

    id: int
    requested_at: datetime
    requested_by: str
    reason: str
    people: int
    steps: dict[str, dict[str, int]]
    champion: str | None
    artifact_sha256: str | None
    rebuilt_sha256: str | None
    finished_at: datetime | None

    @property
    def is_proven(self) -> bool:
        """Whether the champion equals the model that was trained on data without the people; true without a model."""
        return self.finished_at is not None and self.artifact_sha256 == self.rebuilt_sha256

    @property
    def state(self) -> str:
        """Say how far it is."""
        if self.finished_at is not None:
            return f"erasure {self.id} is complete"
        done = [step for step in STEPS if "done" in self.steps.get(step, {})]
        so_far = f"done so far: {', '.join(done)}" if done else "no step is done"
        return (
            f"erasure {self.id}, asked for on {self.requested_at:%Y-%m-%d}, is not complete ({so_far}): "
            "unless it is under way, run cinematch forget --resume"
        )


@dataclass(frozen=True, slots=True)
class RatingFile:
    """A landed content of ratings."""

    path: str
    md5: str
    size: int
    store_key: str
    columns: list[str] | None


@dataclass(frozen=True, slots=True)
class CleanedFile:
    """The object that replaces a landed content, and the row numbers, from 1, that it lacks."""

    key: str
    md5: str
    size: int
    removed: Sequence[int]


@dataclass(frozen=True, slots=True)
class TrainingContent:
    """A content that rows of ``ratings`` came from; ``batch_id`` is None for the ratings file."""

    path: str
    md5: str
    store_key: str
    batch_id: str | None


def begin_erasure(
    connection: psycopg.Connection, hashes: Iterable[str], fingerprint: str, reason: str, by: Actor
) -> int:
    """Put people on the list and begin their erasure, in one transaction; return its id."""
    chosen = sorted(set(hashes))
    with connection.transaction():
        lock(connection, "erasures")
        values = {"by": str(by), "reason": reason, "people": len(chosen)}
        erasure = int(scalar(connection, "erasure/insert_erasure", **values))
        suppress_users(connection, erasure, chosen, fingerprint)
    return erasure


def list_erasures(
    connection: psycopg.Connection, *, number: int | None = None, unfinished: bool = False
) -> list[Erasure]:
    """Return erasures, newest first; only the one with that number, or only those that are not finished."""
    with connection.cursor(row_factory=class_row(Erasure)) as cursor:
        return cursor.execute(statement("erasure/select_erasures"), {"id": number, "unfinished": unfinished}).fetchall()


def read_erasure(connection: psycopg.Connection, number: int) -> Erasure:
    """Return one erasure.

    Raises:
        NoErasureError: there is none of that number.
    """
    found = list_erasures(connection, number=number)
    if not found:
        raise NoErasureError(f"there is no erasure {number}: cinematch audit --action erasure lists them")
    return found[0]


def add_counts(connection: psycopg.Connection, erasure: int, step: str, counts: Mapping[str, int]) -> None:
    """Add to the counts of a step, in the transaction of what is counted, so that a kill loses none.

    A step with ``done`` is not done again.
    """
    (steps,) = single_row(connection, "erasure/lock_steps", id=erasure)
    known = steps.get(step, {})
    summed = {name: known.get(name, 0) + counts.get(name, 0) for name in {**known, **counts}}
    connection.execute(statement("erasure/update_step"), {"id": erasure, "step": Jsonb({step: summed})})


def finish_step(connection: psycopg.Connection, erasure: int, step: str) -> None:
    """Record that a step is done."""
    with connection.transaction():
        add_counts(connection, erasure, step, {"done": 1})


def record_proof(
    connection: psycopg.Connection, erasure: int, champion: str, artifact_sha256: str, rebuilt_sha256: str
) -> None:
    """Record the new champion and both hashes."""
    values = {"id": erasure, "champion": champion, "artifact": artifact_sha256, "rebuilt": rebuilt_sha256}
    connection.execute(statement("erasure/update_proof"), values)


def finish_erasure(connection: psycopg.Connection, erasure: int, by: Actor) -> None:
    """Complete an erasure, with its entry in the audit and a notification; a second call changes nothing."""
    with connection.transaction():
        if connection.execute(statement("erasure/finish_erasure"), {"id": erasure}).rowcount:
            done = read_erasure(connection, erasure)
            details = {"people": done.people, "artifact_sha256": done.artifact_sha256}
            add_audit_entry(connection, Action.ERASURE, f"erasure {erasure}", done.reason, by, **details)
            people = "1 person was" if done.people == 1 else f"{done.people} people were"
            record_notification(connection, "erasure", f"{people} erased, erasure {erasure}", done.reason)


def list_rating_files(connection: psycopg.Connection) -> list[RatingFile]:
    """Return every landed content of the ratings file and of batches."""
    with connection.cursor(row_factory=class_row(RatingFile)) as cursor:
        return cursor.execute(statement("erasure/select_rating_files")).fetchall()


def find_cleaned_file(connection: psycopg.Connection, path: str, md5: str, known: int) -> tuple[str, str, int] | None:
    """Return key, md5 and size of the object of a content that was looked through for all ``known`` people."""
    values = {"path": path, "md5": md5, "known": known}
    row = connection.execute(statement("erasure/select_cleaned_file"), values).fetchone()
    return None if row is None else (str(row[0]), str(row[1]), int(row[2]))


def read_quarantined_rows(connection: psycopg.Connection, path: str, md5: str) -> list[tuple[int, str]]:
    """Return id and text of each rejected row of a content."""
    return connection.execute(statement("erasure/select_quarantined_rows"), {"path": path, "md5": md5}).fetchall()


def clean_file(
    connection: psycopg.Connection,
    erasure: int,
    path: str,
    md5: str,
    known: int,
    cleaned: CleanedFile | None,
    rejected_ids: Sequence[int],
) -> None:
    """Let the ledger and recorded loads point to the object without people, and delete their rejected rows.

    ``cleaned`` is None when no row of the content itself was theirs, and ``known`` how many people are on the list.
    """
    content = {"path": path, "md5": md5}
    with connection.transaction():
        counted, deleted = single_row(connection, "erasure/delete_quarantined_rows", ids=list(rejected_ids))
        looked_through = 1
        if cleaned is None:  # 0 where it was looked through before a kill
            looked_through = connection.execute(
                statement("erasure/mark_file_clean"), {**content, "known": known}
            ).rowcount
        else:
            removed = list(cleaned.removed)
            connection.execute(statement("erasure/shift_row_numbers"), {**content, "removed": removed})
            values = {
                **content,
                "store_key": cleaned.key,
                "stored_md5": cleaned.md5,
                "stored_size": cleaned.size,
                "known": known,
                "removed": len(removed),
                "removed_rejected": counted,
            }
            connection.execute(statement("loads/replace_cleaned_loads"), values)
            connection.execute(statement("erasure/update_cleaned_file"), values)
        counts = {
            "contents": looked_through,
            "rewritten": int(cleaned is not None),
            "rows": len(cleaned.removed) if cleaned else 0,
            "rejected_rows": int(deleted),
        }
        add_counts(connection, erasure, "files", counts)


def delete_people(
    connection: psycopg.Connection,
    erasure: int,
    of_people: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    is_test: Callable[[pd.DataFrame], NDArray[np.bool_]] | None = None,
) -> None:
    """Delete the rows of people from ``ratings``, ``ratings_buffer`` and ``recommendations``.

    Loads that are under way end first, and their rows are deleted too; see ``suppressed_users.require_suppressed``.

    Args:
        connection: autocommit; the transaction is opened here.
        erasure: its id.
        of_people: tells which users, shape (n,), are theirs.
        is_test: decides ``data_split`` again for those who stay, where it depends on all rows.
    """
    deleted = {}
    with connection.transaction():
        lock(connection, "ratings")
        connection.execute(statement("erasure/lock_person_tables"))
        ids = np.array([user for (user,) in connection.execute(statement("erasure/select_user_ids"))], np.int64)
        users = {"users": ids[of_people(ids)].tolist()}
        for table, order in (
            ("ratings", "erasure/delete_ratings"),
            ("ratings_buffer", "erasure/delete_buffer_ratings"),
            ("recommendations", "erasure/delete_user_recommendations"),
        ):
            deleted[table] = connection.execute(statement(order), users).rowcount
        if is_test is not None:
            split_again(connection, is_test)
        connection.execute(statement("erasure/recount_batches"))
        connection.execute(statement("drift/refresh_drift_baseline"))
        add_counts(connection, erasure, "tables", deleted)


def clear_reports(connection: psycopg.Connection) -> None:
    """Ask for every batch's report again."""
    connection.execute(statement("erasure/clear_reported"))


def list_erasable_versions(connection: psycopg.Connection) -> list[tuple[str, str, str, str]]:
    """Return version, artifact's key and sha256, and state of each version that was not erased, oldest first."""
    return connection.execute(statement("erasure/select_erasable_versions")).fetchall()


def mark_version_erased(connection: psycopg.Connection, version: str, erasure: int) -> None:
    """Record that a version's artifact and recommendations are gone for good."""
    with connection.transaction():
        connection.execute(statement("erasure/mark_version_erased"), {"version": version, "erasure": erasure})
        add_counts(connection, erasure, "versions", {"erased": 1})


def find_version_erasure(connection: psycopg.Connection, version: str) -> datetime | None:
    """Return when the erasure was asked for with which a version's artifact went; None while it is there."""
    row = connection.execute(statement("erasure/select_version_erasure"), {"version": version}).fetchone()
    return None if row is None else row[0]


def list_training_contents(connection: psycopg.Connection) -> list[TrainingContent]:
    """Return the contents that the rows of ``ratings`` came from, in the order in which they were landed."""
    with connection.cursor(row_factory=class_row(TrainingContent)) as cursor:
        return cursor.execute(statement("erasure/select_training_contents")).fetchall()


_REDACTIONS = ("erasure/redact_events", "erasure/redact_newest_materializations", "erasure/redact_checks")


def redact_dagster(url: str, texts: Iterable[str], instead: str) -> int:
    """Replace texts in Dagster's event log, its newest materializations and history of checks; return rows changed.

    Args:
        url: of Dagster's database.
        texts: as they stand in the stored JSON.
        instead: what replaces each.
    """
    changed = 0
    with connect(url, application="cinematch forget") as connection, connection.transaction():
        if not scalar(connection, "erasure/find_event_log"):
            return 0
        for text in texts:
            for order in _REDACTIONS:
                changed += connection.execute(statement(order), {"old": text, "new": instead}).rowcount
    return changed
