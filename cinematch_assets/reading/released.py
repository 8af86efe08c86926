"""Rejected rows read once more, when a person has released them from quarantine.

Here: raw rows as a source like any file. Not here: which rows, and what becomes of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, Faults
from cinematch_assets.reading.csv_cells import split_lines
from cinematch_assets.reading.header import Header, check_columns
from cinematch_assets.reading.movies import earlier_movies
from cinematch_assets.reading.ratings import older_ratings, ratings_table
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import Reader
from cinematch_assets.schemas.movies_file import MOVIES_FILE
from cinematch_assets.schemas.table import Table

SPELLED_OUT = re.compile(rb"\\x[0-9a-f]{2}")
NO_LIMIT = RejectionLimit(share=1.0)


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of text, each a row whatever it holds; source and only block in one."""

    lines: tuple[bytes, ...]
    columns: tuple[str, ...]
    table: Table

    def rows_at_most(self) -> int:
        """How many there are."""
        return len(self.lines)

    def blocks(self) -> Iterator["RawRows"]:
        """Itself."""
        yield self

    def again(self, numbers: Iterable[int]) -> Iterator[tuple[int, "RawRows"]]:
        """Itself once more."""
        yield from ((number, self) for number in numbers)

    def typed(self) -> pd.DataFrame | None:
        """Nothing: rows that were rejected once get the closer look."""

    def cells(self) -> tuple[int, Cells, Faults]:
        r"""The rows' cells, and what is wrong with which row as a row.

        One that was rejected for bytes that are no text shows them as ``\xNN``, which must not pass for its text.
        """
        cells, faults = split_lines(list(self.lines), Header(self.columns, 0), self.table)
        for position, line in enumerate(self.lines):
            if SPELLED_OUT.search(line):
                faults.setdefault(position, []).append(r"has bytes written as \xNN: correct its text")
        return len(self.lines), cells, faults

    def raw(self, positions: NDArray[np.int64]) -> list[bytes]:
        """The rows at these positions."""
        return [self.lines[position] for position in positions.tolist()]


def reread_ratings(
    raw_rows: Sequence[str], columns: Sequence[str], *, known_movies: NDArray[np.int32] | None
) -> Reading:
    """Raw rows of ratings, with the names of their columns as their ``Reading`` had them; no limit.

    ``row_number`` of what is rejected again counts ``raw_rows`` from 1.
    """
    table = ratings_table(known_movies)
    return _reader(raw_rows, columns, table).read(older_ratings)


def reread_movies(raw_rows: Sequence[str], columns: Sequence[str]) -> Reading:
    """Raw rows of movies, as ``reread_ratings``."""
    return _reader(raw_rows, columns, MOVIES_FILE).read(earlier_movies)


def _reader(raw_rows: Sequence[str], columns: Sequence[str], table: Table) -> Reader:
    name = "released rows"
    check_columns(name, columns, table)
    rows = RawRows(tuple(row.encode("utf-8", "backslashreplace") for row in raw_rows), tuple(columns), table)
    return Reader(rows, name, table, NO_LIMIT)
