"""A CSV file as blocks of rows.

Here: cutting the file at row ends, and two parsers for a block: pyarrow's CSV reader when it is sure to give the right
rows, and the strict parser otherwise. Both give the same cells; the strict one also finds faults of whole rows. Not
here: the strict parser (``csv_cells``), what cells must hold (``schemas``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from cinematch_assets.reading.cells import Cells, Faults, cast_to_table, is_utf8
from cinematch_assets.reading.compressed import open_unpacked
from cinematch_assets.reading.csv_cells import split_lines
from cinematch_assets.reading.csv_rows import Index, Rows, find_rows
from cinematch_assets.reading.header import BOM, Header, read_header
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.table import Table

BLOCK_BYTES = 8 * 2**20
MAX_ROW_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class CsvBlock:
    """Complete rows of a file, as bytes."""

    text: bytes
    header: Header
    table: Table
    found: Rows | None = None

    @property
    def _rows(self) -> Rows:
        return self.found or find_rows(self.text, at_end=True)[0]

    def typed(self) -> pd.DataFrame | str:
        """Return the block's rows as pyarrow parses them, or why the strict parser is needed."""
        if not all(column.is_number for column in self.table.columns):
            return "the table has columns of text"
        if reason := self._needs_strict_parser():
            return reason
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
        except pa.ArrowInvalid as error:
            return str(error).splitlines()[0]
        frame = cast_to_table(rows, self.table)
        return "a number does not fit its column" if frame is None else frame

    def _needs_strict_parser(self) -> str:
        """Return why pyarrow might parse these bytes differently from ``cells``; empty when it does not."""
        if self.text.startswith(BOM):
            return "the block begins with a byte order mark"
        if b"\0" in self.text:
            return "there is a NUL byte"
        if _has_hex(self.text):
            return "there may be a hexadecimal number"
        if b"\r" in self.text and self.text.count(b"\r") != self.text.count(b"\r\n"):
            return "there is a carriage return that ends no line"
        if self.found is not None and not self.found.well_quoted:
            return "there are unusual quotes"
        return "" if is_utf8(self.text) else "there are bytes that are not UTF-8"

    def cells(self) -> tuple[int, Cells, Faults]:
        """Return the number of rows, the cells of those with the header's number of fields, and the faults of rows."""
        lines = self._lines(self._rows)
        return len(lines), *split_lines(lines, self.header, self.table)

    def parts(self, max_rows: int) -> Iterator["CsvBlock"]:
        """Yield the block's rows, up to ``max_rows`` at a time."""
        rows = self._rows
        for first in range(0, len(rows), max_rows):
            part = slice(first, first + max_rows)
            yield replace(self, found=Rows(rows.starts[part], rows.ends[part], rows.well_quoted))

    def raw(self, positions: Index) -> list[bytes]:
        """Return the bytes of the rows at these positions of the block."""
        rows = self._rows
        return self._lines(Rows(rows.starts[positions], rows.ends[positions], rows.well_quoted))

    def _lines(self, rows: Rows) -> list[bytes]:
        return [self.text[a:b] for a, b in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)]


def _has_hex(text: bytes) -> bool:
    """Return whether 0x occurs; searching for the single letter first is ten times as fast."""
    return any(letter in text and b"0" + letter in text for letter in (b"x", b"X"))


class CsvFile:
    """A CSV file of ``table``, read in blocks.

    Args:
        path: The file.
        name: Its name in messages.
        table: Its columns.
        block_bytes: Bytes read at a time.
        max_row_bytes: Length at which a row without an end refuses the file.

    Raises:
        FileRefused: The header is not one of ``table``.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        table: Table,
        block_bytes: int = BLOCK_BYTES,
        max_row_bytes: int = MAX_ROW_BYTES,
    ) -> None:
        self._path, self._name, self._table = path, name, table
        self._block_bytes, self._max_row_bytes = block_bytes, max_row_bytes
        self._block_spans: list[tuple[int, int]] = []  # offset and length in bytes
        with open_unpacked(path, name) as file:
            self.header = read_header(file, name, table)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order of the raw rows."""
        return self.header.names

    def max_rows(self) -> int:
        """Return an upper bound of the number of rows: the lines in the file."""
        with open_unpacked(self._path, self._name) as file:
            return 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(self._block_bytes), b""))

    def blocks(self) -> Iterator[CsvBlock]:
        """Yield the file's rows in order, about ``block_bytes`` at a time."""
        self._block_spans.clear()
        with open_unpacked(self._path, self._name) as file:
            start, carry, at_end = file.seek(self.header.ends_at), b"", False
            while not at_end:
                more = file.read(self._block_bytes)
                at_end = not more
                text = carry + more
                text, carry, found = self._cut(text, at_end=at_end)
                self._check_rows(text, found, start)
                if text:
                    self._block_spans.append((start, len(text)))
                    yield CsvBlock(text, self.header, self._table, found)
                start += len(text)
                if len(carry) > self._max_row_bytes:
                    raise self._endless(start)

    def reread(self, numbers: Iterable[int]) -> Iterator[tuple[int, CsvBlock]]:
        """Yield the blocks with these numbers, counted from 0 in the order of ``blocks``."""
        with open_unpacked(self._path, self._name) as file:
            for number in numbers:
                start, size = self._block_spans[number]
                file.seek(start)
                yield number, CsvBlock(file.read(size), self.header, self._table)

    def _check_rows(self, text: bytes, found: Rows | None, start: int) -> None:
        """Refuse the file when a row is longer than a row may be; looking for one line end a stride is enough."""
        position = 0
        while position + self._max_row_bytes < len(text):
            end = text.rfind(b"\n", position, position + self._max_row_bytes + 1)
            if end < 0:
                raise self._endless(start + position)
            position = end + 1
        if found is not None and len(found):
            longest = int((found.ends - found.starts).argmax())
            if found.ends[longest] - found.starts[longest] > self._max_row_bytes:
                raise self._endless(start + int(found.starts[longest]))

    def _endless(self, start: int) -> FileRefused:
        return FileRefused(self._name, f"the row at byte {start:,} has no end in {self._max_row_bytes:,} bytes")

    @staticmethod
    def _cut(text: bytes, *, at_end: bool) -> tuple[bytes, bytes, Rows | None]:
        """Return complete rows, the rest of the text, and the rows' offsets if they had to be found for the cut."""
        cut = len(text) if at_end else text.rfind(b"\n") + 1
        if b'"' not in text:
            return text[:cut], text[cut:], None
        found, cut = find_rows(text[:cut], at_end=at_end)
        return text[:cut], text[cut:], found
