"""Read rejected rows again when a person releases them from quarantine.

Here: raw rows as a source like any file. Not here: which rows (``warehouse.rejected_rows``), storing them
(``warehouse.release``).
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, Faults
from cinematch_assets.reading.csv_cells import split_lines
from cinematch_assets.reading.header import Header, check_columns
from cinematch_assets.reading.movies import find_replaced_movies, with_usual_genres
from cinematch_assets.reading.ratings import find_replaced_ratings, ratings_file_table
from cinematch_assets.reading.results import Reading, RejectionLimit
from cinematch_assets.reading.table_file import Reader
from cinematch_assets.schemas.movies_file import MOVIES_FILE
from cinematch_assets.schemas.table import Table

SPELLED_OUT = re.compile(rb"\\x[0-9a-f]{2}")
NO_LIMIT = RejectionLimit(share=1.0)


@dataclass(frozen=True, slots=True)
class RawRows:
    """Lines of text, each one row; both the source and its only block."""

    lines: tuple[bytes, ...]
    columns: tuple[str, ...]
    table: Table

    def max_rows(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def blocks(self) -> Iterator["RawRows"]:
        """Yield the rows as one block."""
        yield self

    def reread(self, numbers: Iterable[int]) -> Iterator[tuple[int, "RawRows"]]:
        """Yield the block once for each number."""
        yield from ((number, self) for number in numbers)

    def typed(self) -> pd.DataFrame | str:
        """Return why rows that were rejected before always need the strict parser."""
        return "the rows were rejected before"

    def cells(self) -> tuple[int, Cells, Faults]:
        r"""Return the number of rows, their cells, and the faults of whole rows.

        A row that was rejected because its bytes were not text shows them as ``\xNN``; that spelling is a fault, or it
        would be stored as the text.
        """
        cells, faults = split_lines(list(self.lines), Header(self.columns, 0), self.table)
        for position, line in enumerate(self.lines):
            if SPELLED_OUT.search(line):
                faults.setdefault(position, []).append(r"has bytes written as \xNN: correct its text")
        return len(self.lines), cells, faults

    def parts(self, max_rows: int) -> Iterator["RawRows"]:
        """Yield the rows, up to ``max_rows`` at a time."""
        for first in range(0, len(self.lines), max_rows):
            yield replace(self, lines=self.lines[first : first + max_rows])

    def raw(self, positions: NDArray[np.int64]) -> list[bytes]:
        """Return the rows at these positions."""
        return [self.lines[position] for position in positions.tolist()]


def reread_ratings(
    raw_rows: Sequence[str], columns: Sequence[str], *, known_movies: NDArray[np.int32] | None
) -> Reading:
    """Read raw rows of ratings, without a limit on rejected rows.

    ``columns`` are those of the ``Reading`` that rejected the rows; ``row_number`` of rows rejected again counts
    ``raw_rows`` from 1.
    """
    table = ratings_file_table(known_movies)
    return _reader(raw_rows, columns, table).read(find_replaced_ratings)


def reread_movies(raw_rows: Sequence[str], columns: Sequence[str]) -> Reading:
    """Read raw rows of movies, as ``reread_ratings``."""
    return with_usual_genres(_reader(raw_rows, columns, MOVIES_FILE).read(find_replaced_movies))


def pack_released_rows(raw_rows: Sequence[str], columns: Sequence[str]) -> bytes:
    """Return raw rows and their columns as a file of their own."""
    return json.dumps({"columns": list(columns), "rows": list(raw_rows)}).encode()


def unpack_released_rows(content: bytes) -> tuple[list[str], list[str]]:
    """Return the raw rows and columns of ``pack_released_rows``."""
    stored = json.loads(content)
    return list(stored["rows"]), list(stored["columns"])


def _reader(raw_rows: Sequence[str], columns: Sequence[str], table: Table) -> Reader:
    name = "released rows"
    check_columns(name, columns, table)
    rows = RawRows(tuple(row.encode("utf-8", "backslashreplace") for row in raw_rows), tuple(columns), table)
    return Reader(rows, name, table, NO_LIMIT)
