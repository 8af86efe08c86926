"""What a drift assessment reads and writes: histograms, alerts and decisions.

Here: the rows. Not here: the statistics (``drift``), the decision (``retraining``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.values import DriftAlert, WaitingDecision
from cinematch_assets.warehouse.copy import read_frame
from cinematch_assets.warehouse.locks import lock_batch
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets.warehouse.ratings import rating_frame
from cinematch_assets.warehouse.statements import scalar, statement


@dataclass(frozen=True, slots=True)
class AssessedStatistic:
    """A row of ``drift_alerts`` with the statistic's bound without drift; None where it has none."""

    feature_name: str
    drift_score: float | None
    threshold: float
    alert_triggered: bool
    notes: str | None
    baseline_rows: int
    batch_rows: int
    null_bound: float | None


@dataclass(frozen=True, slots=True)
class BatchDecision:
    """The newest decision on a batch; ``unscored`` says why no champion's errors were measured on it."""

    due: bool
    reason: str
    state: str
    outcome: str | None
    unscored: str | None


class NoBaselineError(SurroundingsError):
    """There is nothing to compare a batch with yet."""


class BatchReplacedError(SurroundingsError):
    """Another content of a batch was loaded while this one was assessed."""


def read_baseline_counts(connection: psycopg.Connection) -> tuple[int, ...]:
    """Return how many train ratings have 0.5, 1.0 … 5.0 stars; every load and merge updates them.

    Raises:
        NoBaselineError: before ratings were loaded.
    """
    row = connection.execute(statement("drift/select_drift_baseline")).fetchone()
    if row is None:
        raise NoBaselineError("no baseline for drift: materialize ratings first")
    return tuple(row[0])


def read_batch_counts(connection: psycopg.Connection, batch_id: str) -> tuple[int, ...]:
    """Return the same ten counts of one batch, in the buffer or merged."""
    return tuple(scalar(connection, "drift/select_batch_histogram", batch_id=batch_id))


def read_user_histograms(url: str) -> NDArray[np.int64]:
    """Return each train user's ten counts, shape (n_users, 10), in the order of user ids."""
    frame = read_frame(url, statement("drift/select_user_histograms"))
    _, users = np.unique(frame["userid"].to_numpy(), return_inverse=True)
    counts = np.zeros((int(users.max()) + 1 if len(users) else 0, 10), np.int64)
    counts[users, frame["half_stars"].to_numpy() - 1] = frame["count"].to_numpy()
    return counts


def read_batch_rows(connection: psycopg.Connection, batch_id: str) -> pd.DataFrame:
    """Return a batch's ratings: userId, movieId, rating, timestamp."""
    rows = connection.execute(statement("batches/select_batch_rows"), {"batch_id": batch_id}).fetchall()
    return rating_frame(rows)


def read_batch_assessment(connection: psycopg.Connection, batch_id: str) -> list[AssessedStatistic]:
    """Return a batch's statistics as they were assessed last, none before the first assessment."""
    with connection.cursor(row_factory=class_row(AssessedStatistic)) as cursor:
        return cursor.execute(statement("drift/select_batch_assessment"), {"batch_id": batch_id}).fetchall()


def read_batch_decision(connection: psycopg.Connection, batch_id: str) -> BatchDecision | None:
    """Return the newest decision on a batch."""
    with connection.cursor(row_factory=class_row(BatchDecision)) as cursor:
        return cursor.execute(statement("drift/select_batch_decision"), {"batch_id": batch_id}).fetchone()


def write_assessment(
    connection: psycopg.Connection,
    batch_id: str,
    md5: str,
    alerts: Sequence[DriftAlert],
    *,
    due: bool,
    reason: str,
    evidence: Mapping[str, Any],
) -> None:
    """Replace a batch's alerts and write its decision, in one transaction: from then on the batch is trained on.

    Of two assessments at once the second waits for the first and replaces its alerts.

    Raises:
        BatchReplacedError: the batch has another content than ``md5`` by now.
    """
    with connection.transaction():
        lock_batch(connection, batch_id)
        if (
            connection.execute(statement("batches/mark_batch_assessed"), {"batch_id": batch_id, "md5": md5}).rowcount
            != 1
        ):
            raise BatchReplacedError(f"{batch_id} was replaced while it was assessed: it is assessed again")
        connection.execute(statement("drift/delete_batch_alerts"), {"batch_id": batch_id})
        for alert in alerts:
            connection.execute(statement("drift/insert_alert"), {**asdict(alert), "batch_id": batch_id})
        values = {"batch_id": batch_id, "md5": md5, "due": due, "reason": reason, "evidence": Jsonb(dict(evidence))}
        connection.execute(statement("drift/supersede_decisions"), values)
        decided = connection.execute(statement("drift/upsert_decision"), values).rowcount == 1
        triggered = [alert.feature_name for alert in alerts if alert.alert_triggered]
        if decided and (due or triggered):
            _notify(connection, batch_id, md5, triggered, due=due, reason=reason)


def _notify(
    connection: psycopg.Connection, batch_id: str, md5: str, triggered: Sequence[str], *, due: bool, reason: str
) -> None:
    """Tell what a batch was found to be; one with nothing over its threshold and nothing due is not told."""
    found = f"{', '.join(triggered)} over the threshold" if triggered else "nothing over its threshold"
    record_notification(
        connection,
        "drift",
        f"{batch_id}: retraining is {'due' if due else 'not due'}, {found}",
        reason,
        next_step="retraining_sensor starts a retraining" if due else "",
        about=f"drift {batch_id} {md5} {'due' if due else 'not due'}",
    )


def list_waiting_decisions(connection: psycopg.Connection) -> list[WaitingDecision]:
    """Return the decisions to retrain without an outcome, oldest first."""
    with connection.cursor(row_factory=class_row(WaitingDecision)) as cursor:
        return cursor.execute(statement("drift/select_waiting_decisions")).fetchall()


def count_unseen_ratings(connection: psycopg.Connection) -> int:
    """Count accepted ratings that no champion was trained on."""
    return int(scalar(connection, "drift/select_unseen_ratings"))


def read_seconds_since_retraining(connection: psycopg.Connection) -> float | None:
    """Return the seconds since a version was last promoted or rejected, None before the first."""
    seconds: float | None = scalar(connection, "registry/select_last_retraining")
    return seconds


def read_baseline_sample(connection: psycopg.Connection, rows: int = 20_000) -> pd.DataFrame:
    """Return whole users' train ratings, about ``rows`` of them, the same ones while the table is the same."""
    found = connection.execute(statement("drift/select_baseline_sample"), {"rows": rows}).fetchall()
    return rating_frame(found)
