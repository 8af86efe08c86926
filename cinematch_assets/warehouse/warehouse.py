"""The warehouse: a database with the newest schema.

Here: opening it, and running functions of this package on it. Not here: those functions, which take a connection.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pandas as pd
import psycopg

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.copy import read_frame
from cinematch_assets.warehouse.embedded import embedded_url
from cinematch_assets.warehouse.migrations import migrate, pending
from cinematch_assets.warehouse.statements import statement


class SchemaBehindError(CinematchError):
    """The database misses migrations that this version needs."""


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """Several queries on one connection; see ``Warehouse.session``."""

    _connection: psycopg.Connection

    def run(self, question: Callable[Concatenate[psycopg.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of this package on the session's connection."""
        return question(self._connection, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A Postgres database with the newest schema."""

    url: str

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Yield an autocommit connection; the caller opens a transaction to write."""
        with connect(self.url) as connection:
            yield connection

    def run(self, question: Callable[Concatenate[psycopg.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of this package, which takes a connection first, on a connection of its own.

        ``warehouse.run(read_champion)``: the layers above name the query and see neither SQL nor a connection.
        """
        with self.connect() as connection:
            return question(connection, *args, **kwargs)

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """Yield ``run`` for several queries on one connection; each write is a transaction of its own."""
        with self.connect() as connection:
            yield Session(connection)

    def read(self, name: str, columns: tuple[str, ...] = ()) -> pd.DataFrame:
        """Read a statement without parameters, of any size."""
        return read_frame(self.url, statement(name), columns)


def open_warehouse(url: str | None, home: Path) -> Warehouse:
    """Open the database at ``url``, or the embedded one under ``home``, which is migrated to the newest schema.

    Raises:
        SchemaBehindError: an external database needs ``cinematch migrate``.
    """
    return _opened(url, home.resolve())


@cache
def _opened(url: str | None, home: Path) -> Warehouse:
    if url is None:
        url = embedded_url(home)
        migrate(url)
    elif missing := pending(url):
        raise SchemaBehindError(f"the warehouse misses {', '.join(missing)}: run cinematch migrate")
    return Warehouse(url)
