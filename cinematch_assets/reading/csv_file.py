"""A CSV file as blocks of rows.

Here: cutting the file at row ends, and two ways to a block's cells: pyarrow's CSV reader for a block in which nothing
is odd, and ``csv_cells`` for the rest. Both give the same cells; the second also says what is wrong with a row as a
row. Not here: what the cells must hold.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from cinematch_assets.reading.cells import Cells, Faults, is_utf8, narrowed
from cinematch_assets.reading.csv_cells import split_lines
from cinematch_assets.reading.csv_rows import Index, Rows, find_rows
from cinematch_assets.reading.header import BOM, Header, read_header
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.table import Table

BLOCK_BYTES = 32 * 2**20
LONGEST_ROW_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class CsvBlock:
    """Whole rows of a file, as bytes."""

    text: bytes
    header: Header
    table: Table
    found: Rows | None = None

    @property
    def _rows(self) -> Rows:
        return self.found or find_rows(self.text, at_end=True)[0]

    def typed(self) -> pd.DataFrame | None:
        """The block's rows by pyarrow, or nothing where a row might not be what pyarrow takes it for."""
        if not all(column.is_number for column in self.table.columns) or self._is_odd():
            return None
        names = [name if name in self.table.column_names else f"_{i}" for i, name in enumerate(self.header.names)]
        types = {
            c.name: pa.float64() if c.dtype == "float32" else pa.type_for_alias(c.dtype) for c in self.table.columns
        }
        try:
            rows = pacsv.read_csv(
                pa.BufferReader(self.text),
                read_options=pacsv.ReadOptions(column_names=names),
                convert_options=pacsv.ConvertOptions(
                    column_types=types, include_columns=list(self.table.column_names), null_values=[]
                ),
            )
        except pa.ArrowInvalid:
            return None
        return narrowed(rows, self.table)

    def _is_odd(self) -> bool:
        """Whether pyarrow might see more in these bytes than ``cells``: hex ids, stray returns, quotes, marks."""
        if self.text.startswith(BOM) or b"\0" in self.text or _has_hex(self.text):
            return True
        if b"\r" in self.text and self.text.count(b"\r") != self.text.count(b"\r\n"):
            return True
        return (self.found is not None and not self.found.well_quoted) or not is_utf8(self.text)

    def cells(self) -> tuple[int, Cells, Faults]:
        """How many rows there are, the cells of those that have the header's fields, and what is wrong with which."""
        lines = self._lines(self._rows)
        return len(lines), *split_lines(lines, self.header, self.table)

    def raw(self, positions: Index) -> list[bytes]:
        """The bytes of the rows at these positions of the block."""
        rows = self._rows
        return self._lines(Rows(rows.starts[positions], rows.ends[positions], rows.well_quoted))

    def _lines(self, rows: Rows) -> list[bytes]:
        return [self.text[a:b] for a, b in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)]


def _has_hex(text: bytes) -> bool:
    """Whether 0x is anywhere; a single letter is looked for first, which is ten times as fast."""
    return any(letter in text and b"0" + letter in text for letter in (b"x", b"X"))


class CsvFile:
    """A CSV file of ``table``: its blocks, in order or again."""

    def __init__(self, path: Path, name: str, table: Table, block_bytes: int = BLOCK_BYTES) -> None:
        self._path, self._name, self._table, self._block_bytes = path, name, table, block_bytes
        self._places: list[tuple[int, int]] = []
        with path.open("rb") as file:
            self.header = read_header(file, name, table)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the order of the raw rows."""
        return self.header.names

    def rows_at_most(self) -> int:
        """An upper bound of the number of rows: the lines in the file."""
        with self._path.open("rb") as file:
            return 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(self._block_bytes), b""))

    def blocks(self) -> Iterator[CsvBlock]:
        """The file's rows in order, some 32 MB at a time."""
        self._places.clear()
        with self._path.open("rb") as file:
            start, carry, at_end = file.seek(self.header.ends_at), b"", False
            while not at_end:
                more = file.read(self._block_bytes)
                at_end = not more
                text = carry + more
                text, carry, found = self._cut(text, at_end=at_end)
                if text:
                    self._places.append((start, len(text)))
                    yield CsvBlock(text, self.header, self._table, found)
                start += len(text)
                if len(carry) > LONGEST_ROW_BYTES:
                    raise FileRefused(self._name, f"the row at byte {start:,} has no end in {len(carry):,} bytes")

    def again(self, numbers: Iterable[int]) -> Iterator[tuple[int, CsvBlock]]:
        """The blocks of these numbers, counted from 0 as ``blocks`` gave them."""
        with self._path.open("rb") as file:
            for number in numbers:
                start, size = self._places[number]
                file.seek(start)
                yield number, CsvBlock(file.read(size), self.header, self._table)

    @staticmethod
    def _cut(text: bytes, *, at_end: bool) -> tuple[bytes, bytes, Rows | None]:
        """Whole rows, what is left of the text, and where the rows are if finding the cut has told."""
        cut = len(text) if at_end else text.rfind(b"\n") + 1
        if b'"' not in text:
            return text[:cut], text[cut:], None
        found, cut = find_rows(text[:cut], at_end=at_end)
        return text[:cut], text[cut:], found
