"""How champions did on batches that they had not learned from: table ``ops.batch_performance``.

Here: its rows, for ``status``, pages and the automatic rollback, and how many rows of a batch are of listed movies. Not
here: measuring (``pipeline.models.score_batch``).
"""

from dataclasses import asdict, dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from cinematch_assets.warehouse.statements import single_row, statement


@dataclass(frozen=True, slots=True)
class ListedRows:
    """Rows of a batch by users with a list of ``list_version``: of movies in it, of others, and liked ones of each."""

    list_version: str
    listed_rows: int
    listed_liked: int
    unlisted_rows: int
    unlisted_liked: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Errors of the champion and of its predecessor on a batch; without a predecessor those are None.

    ``difference`` is champion_rmse / predecessor_rmse − 1, within ``low`` and ``high``.
    """

    rows: int
    champion: str
    champion_rmse: float
    champion_mae: float
    predecessor: str | None = None
    predecessor_rmse: float | None = None
    predecessor_mae: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class BatchPerformance:
    """A row: ``Scores``, and ``ListedRows`` of the lists that the content met first, None where there were none."""

    batch_id: str
    md5: str
    measured_at: datetime
    rows: int
    champion: str
    champion_rmse: float
    champion_mae: float
    predecessor: str | None
    predecessor_rmse: float | None
    predecessor_mae: float | None
    difference: float | None
    low: float | None
    high: float | None
    list_version: str | None
    listed_rows: int | None
    listed_liked: int | None
    unlisted_rows: int | None
    unlisted_liked: int | None

    @property
    def champion_is_worse(self) -> bool:
        """Whether the champion is shown worse than its predecessor: the interval is above zero."""
        return self.low is not None and self.low > 0

    @property
    def hit_rate(self) -> float | None:
        """The liked share of what was listed and rated; None when nothing was."""
        return self.listed_liked / self.listed_rows if self.listed_rows and self.listed_liked is not None else None

    @property
    def unlisted_rate(self) -> float | None:
        """The liked share of what was rated and not listed; None when nothing was."""
        return (
            self.unlisted_liked / self.unlisted_rows if self.unlisted_rows and self.unlisted_liked is not None else None
        )


def count_listed_rows(connection: psycopg.Connection, batch_id: str, list_version: str, liked: float) -> ListedRows:
    """Count a batch's rows by whether their movie is in the user's published list of this version."""
    values = {"batch_id": batch_id, "version": list_version, "liked": liked}
    return ListedRows(list_version, *single_row(connection, "performance/count_listed_rows", **values))


def write_batch_performance(
    connection: psycopg.Connection, batch_id: str, md5: str, scores: Scores, listed: ListedRows | None
) -> None:
    """Replace a batch's row; ``listed`` is kept from the first time that this content was measured."""
    lists = dict.fromkeys(ListedRows.__dataclass_fields__) if listed is None else asdict(listed)
    values = {"batch_id": batch_id, "md5": md5, **asdict(scores), **lists}
    connection.execute(statement("performance/upsert_batch_performance"), values)


def list_batch_performance(connection: psycopg.Connection) -> list[BatchPerformance]:
    """Return a row for each batch that a champion was measured on, the oldest first."""
    with connection.cursor(row_factory=class_row(BatchPerformance)) as cursor:
        return cursor.execute(statement("performance/select_batch_performance")).fetchall()
