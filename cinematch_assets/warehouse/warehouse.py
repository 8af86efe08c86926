"""The warehouse as one thing to hand around.

Here: where it is, and that its schema is the newest. Not here: what is asked of it; the functions of this room take a
connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A Postgres database with the newest schema."""

    url: str

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Yield an autocommit connection; whoever writes opens a transaction."""
        with connect(self.url) as connection:
            yield connection

    def read(self, name: str, columns: tuple[str, ...] = ()) -> pd.DataFrame:
        """Read a statement without parameters, of any size."""
        return read_frame(self.url, statement(name), columns)


def open_warehouse(url: str | None, home: Path) -> Warehouse:
    """Open the database at ``url``, or the embedded one under ``home``, which is ours and so brought up to date.

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
