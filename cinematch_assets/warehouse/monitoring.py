"""What the monitoring page shows beyond ``cinematch status``: history over batches and versions, lists, sample users.

Here: the rows. Not here: what the page says of them (``pipeline.monitoring``), the state of now (``warehouse.status``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import scalar, single_row, statement


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch that came: its newest file, where its rows are, and the decision on them."""

    batch_id: str
    path: str
    state: str
    arrived_at: datetime
    rows_read: int | None
    rows_accepted: int | None
    rows_rejected: int | None
    note: str | None
    place: str | None
    decision: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class DriftScore:
    """One statistic of one batch, with its bound without drift; None where it has none."""

    batch_id: str
    feature_name: str
    drift_score: float | None
    threshold: float
    alert_triggered: bool
    null_bound: float | None
    notes: str
    """What was compared, as ``drift_alerts`` has it."""


@dataclass(frozen=True, slots=True)
class ChampionChange:
    """A version that became champion, by the gate or by hand, and the one before it."""

    version: str
    former: str | None
    changed_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """Whether a batch was a reason to retrain, and what became of it."""

    batch_id: str
    decided_at: datetime
    due: bool
    reason: str
    state: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class ListTotals:
    """Published lists: their users, their places in all, how many different movies take them, of how many there are."""

    users: int
    places: int
    movies: int
    catalogue: int
    places_of_top_10: int

    @property
    def share_of_top_10(self) -> float:
        """The share of places that the ten most shown movies take."""
        return self.places_of_top_10 / self.places if self.places else 0.0


@dataclass(frozen=True, slots=True)
class ShownMovie:
    """A movie and the number of lists that it is in."""

    title: str
    lists: int


@dataclass(frozen=True, slots=True)
class RatedMovie:
    """A movie that a user rated, with the stars."""

    title: str
    rating: float


@dataclass(frozen=True, slots=True)
class OfferedMovie:
    """A movie of a user's list, and those of the user's own that contributed most to it."""

    rank: int
    title: str
    because: list[str]


@dataclass(frozen=True, slots=True)
class SampleUser:
    """A user with what they liked and what they are offered."""

    user_id: int
    ratings: int
    liked: list[RatedMovie]
    offered: list[OfferedMovie]


def list_arrivals(connection: psycopg.Connection) -> list[Arrival]:
    """Return every batch that came, newest first."""
    with connection.cursor(row_factory=class_row(Arrival)) as cursor:
        return cursor.execute(statement("monitoring/select_arrivals")).fetchall()


def list_drift_scores(connection: psycopg.Connection, batches: Sequence[str]) -> list[DriftScore]:
    """Return the scores of these batches, those that maintenance archived before the others."""
    values = {"batches": list(batches)}
    with connection.cursor(row_factory=class_row(DriftScore)) as cursor:
        scores = cursor.execute(statement("monitoring/select_drift_scores"), values).fetchall()
        if not scalar(connection, "monitoring/has_alerts_archive"):
            return scores
        return cursor.execute(statement("monitoring/select_archived_drift_scores"), values).fetchall() + scores


def list_champion_changes(connection: psycopg.Connection) -> list[ChampionChange]:
    """Return every change of the champion, newest first."""
    with connection.cursor(row_factory=class_row(ChampionChange)) as cursor:
        return cursor.execute(statement("monitoring/select_champion_changes")).fetchall()


def list_decisions(connection: psycopg.Connection, limit: int) -> list[DecisionLine]:
    """Return the newest decisions."""
    with connection.cursor(row_factory=class_row(DecisionLine)) as cursor:
        return cursor.execute(statement("monitoring/select_decisions"), {"limit": limit}).fetchall()


def read_list_totals(connection: psycopg.Connection) -> ListTotals:
    """Count what the published lists show."""
    return ListTotals(*single_row(connection, "monitoring/select_list_totals"))


def list_most_shown(connection: psycopg.Connection, limit: int) -> list[ShownMovie]:
    """Return the movies that are in the most lists."""
    with connection.cursor(row_factory=class_row(ShownMovie)) as cursor:
        return cursor.execute(statement("monitoring/select_most_shown"), {"limit": limit}).fetchall()


def list_sample_users(connection: psycopg.Connection, limit: int) -> list[SampleUser]:
    """Return three users of few, usual and many ratings, with the first movies of what they liked and are offered."""
    users = connection.execute(statement("monitoring/select_sample_users")).fetchall()
    samples = []
    for user_id, ratings in users:
        values = {"user_id": user_id, "limit": limit}
        with connection.cursor(row_factory=class_row(RatedMovie)) as liked:
            best = liked.execute(statement("monitoring/select_liked_titles"), values).fetchall()
        with connection.cursor(row_factory=class_row(OfferedMovie)) as offered:
            first = offered.execute(statement("monitoring/select_offered_titles"), values).fetchall()
        samples.append(SampleUser(user_id, ratings, best, first))
    return samples


def list_batch_sizes(connection: psycopg.Connection, limit: int) -> list[int]:
    """Return the rows of the newest loaded batches."""
    return [rows for (rows,) in connection.execute(statement("monitoring/select_batch_sizes"), {"limit": limit})]


def list_refused_files(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Return each path whose newest content was refused, with the reason."""
    found = connection.execute(statement("monitoring/select_refused_files")).fetchall()
    return [(path, note or "") for path, note in found]
