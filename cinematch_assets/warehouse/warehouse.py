"""The warehouse: what the packages above are given, so that they see no SQL, no connection and no URL.

Here: running functions of this package, bulk reads, opening the database. Not here: which rows a read returns
(``training_data``, ``drift_alerts``), connections (``connection``).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.schemas.table import Table
from cinematch_assets.warehouse import drift_alerts, readonly_query, recommendations, table_rows, training_data
from cinematch_assets.warehouse.connection import connect, describe
from cinematch_assets.warehouse.dump import Contents, dump_database
from cinematch_assets.warehouse.embedded import embedded_url
from cinematch_assets.warehouse.migrations import list_pending_migrations, migrate
from cinematch_assets.warehouse.training_data import TrainingData


class SchemaBehindError(CinematchError):
    """The database misses migrations that this version needs."""


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """Several calls on one connection; see ``Warehouse.session``."""

    _connection: psycopg.Connection

    def run(self, function: Callable[Concatenate[psycopg.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of this package on the session's connection."""
        return function(self._connection, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A Postgres database with the newest schema.

    ``is_embedded`` is true for the server under ``CINEMATCH_HOME``, which is ours; ``analyst_url`` signs in as role
    ``analyst`` elsewhere.
    """

    url: str = field(repr=False)
    is_embedded: bool = False
    analyst_url: str | None = field(default=None, repr=False)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Yield an autocommit connection; the caller opens a transaction to write."""
        with connect(self.url) as connection:
            yield connection

    def run(self, function: Callable[Concatenate[psycopg.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of this package, which takes a connection first, on a connection of its own.

        Example: ``warehouse.run(read_champion)``.
        """
        with self.connect() as connection:
            return function(connection, *args, **kwargs)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield ``run`` for several calls on one connection; each write is a transaction of its own."""
        with self.connect() as connection:
            yield Session(connection)

    def read_training_data(self) -> TrainingData:
        """Read what a model is trained and tested on, in one snapshot."""
        return training_data.read_training_data(self.url)

    def read_test_rows(self) -> pd.DataFrame:
        """Read the test split: userId, movieId, rating, timestamp."""
        return training_data.read_test_rows(self.url)

    def read_seen_pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return users and movies, (n,) each, of every rating in any table and any split; a pair may come twice."""
        return training_data.read_seen_pairs(self.url)

    def read_titled_recommendations(self) -> pd.DataFrame:
        """Read the published lists with titles: userId, rank, movieId, score, model_version, title, in order."""
        return recommendations.read_titled_recommendations(self.url)

    def read_rating_counts(self) -> tuple[pd.Series, pd.Series]:
        """Return the number of train ratings by userId, and by movieId."""
        return training_data.read_rating_counts(self.url)

    def read_user_histograms(self) -> NDArray[np.int64]:
        """Return each train user's counts of 0.5, 1.0 … 5.0, shape (n_users, 10)."""
        return drift_alerts.read_user_histograms(self.url)

    def read_table_blocks(self, schema: str, table: Table, batch_id: str | None = None) -> Iterator[pd.DataFrame]:
        """Yield all rows of a table, or those of one batch, in blocks and with the declared types."""
        return table_rows.read_table_blocks(self.url, schema, table, batch_id)

    def open_answer(
        self, query: str, *, max_rows: int = readonly_query.MAX_ROWS
    ) -> AbstractContextManager[readonly_query.Answer]:
        """Run one read-only query as role ``analyst``; see ``readonly_query.open_answer``.

        Raises:
            QuestionRefusedError: the query is not one SELECT, or Postgres refuses it.
        """
        return readonly_query.open_answer(
            self.url, query, embedded=self.is_embedded, analyst_url=self.analyst_url, max_rows=max_rows
        )

    def dump(self, target: Path) -> Contents:
        """Write the whole database into one file; see ``dump.dump_database``."""
        return dump_database(self.url, target)

    def describe(self) -> str:
        """Return ``host:port/database``, for messages."""
        return describe(self.url)


def open_warehouse(url: str | None, home: Path, analyst_url: str | None = None) -> Warehouse:
    """Open the database at ``url``, or the embedded one under ``home``, which is ours and so brought up to date.

    Raises:
        SchemaBehindError: an external database needs ``cinematch migrate``.
    """
    return _opened(url, home.resolve(), analyst_url)


@cache
def _opened(url: str | None, home: Path, analyst_url: str | None) -> Warehouse:
    if url is None:
        url = embedded_url(home)
        migrate(url)
        return Warehouse(url, is_embedded=True)
    if missing := list_pending_migrations(url):
        raise SchemaBehindError(f"the warehouse misses {', '.join(missing)}: run cinematch migrate")
    return Warehouse(url, analyst_url=analyst_url)
