"""The state of the platform, as rows.

Here: the queries of ``cinematch status`` and ``cinematch demo``. Not here: how they are shown (``cli``).
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import single_row, statement


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch: its load, where its rows are, its alerts, the decision and the outcome."""

    batch_id: str
    status: str
    record_count: int | None
    place: str | None
    triggered: str | None
    due: bool | None
    reason: str | None
    state: str | None
    outcome: str | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class FileLine:
    """The newest content of a path."""

    path: str
    state: str
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    landed_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """One reason for which rows of a file are in the quarantine."""

    path: str
    reason: str
    rows: int
    first_row: int


def list_batches(connection: psycopg.Connection) -> list[BatchLine]:
    """Return one line per batch, in the order of their first arrival."""
    with connection.cursor(row_factory=class_row(BatchLine)) as cursor:
        return cursor.execute(statement("status/select_status_batches")).fetchall()


def list_files(connection: psycopg.Connection) -> list[FileLine]:
    """Return the newest content of every path."""
    with connection.cursor(row_factory=class_row(FileLine)) as cursor:
        return cursor.execute(statement("status/select_status_files")).fetchall()


def list_rejected_reasons(connection: psycopg.Connection) -> list[RejectedLine]:
    """Return the quarantine by file and reason."""
    with connection.cursor(row_factory=class_row(RejectedLine)) as cursor:
        return cursor.execute(statement("files/select_rejected_summary")).fetchall()


def count_collection_states(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many files of the movie collection are in which state."""
    return dict(connection.execute(statement("status/select_status_collection")).fetchall())


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One statistic of one batch."""

    batch_id: str | None
    feature_name: str
    drift_score: float | None
    threshold: float
    alert_triggered: bool
    notes: str | None


@dataclass(frozen=True, slots=True)
class MetricsLine:
    """The metrics of one version."""

    model_version: str
    rmse: float
    mae: float
    precision_at_10: float
    data_size: int
    notes: str | None


@dataclass(frozen=True, slots=True)
class MovieCounts:
    """Movies of the catalogue, and how many of them have genre features."""

    movies: int
    with_features: int


def list_alerts(connection: psycopg.Connection) -> list[AlertLine]:
    """Return every statistic of every batch, oldest first."""
    with connection.cursor(row_factory=class_row(AlertLine)) as cursor:
        return cursor.execute(statement("drift/select_alerts")).fetchall()


def list_model_metrics(connection: psycopg.Connection) -> list[MetricsLine]:
    """Return the metrics of every version that was promoted or rejected, oldest first."""
    with connection.cursor(row_factory=class_row(MetricsLine)) as cursor:
        return cursor.execute(statement("registry/select_model_metrics")).fetchall()


def count_movies(connection: psycopg.Connection) -> MovieCounts:
    """Count the movies of the catalogue."""
    return MovieCounts(*single_row(connection, "movies/count_movies"))


def find_example_user(connection: psycopg.Connection) -> int | None:
    """Return the user whose number of ratings is nearest to 150, None without ratings."""
    row = connection.execute(statement("ratings/select_example_user")).fetchone()
    return None if row is None else int(row[0])
