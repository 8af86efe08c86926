"""A CSV file as blocks of rows.

Here: header and encoding, cutting the file at row ends, and two ways to a block's cells: pyarrow's CSV reader for a
block in which nothing is odd, and one that looks at each row for the rest. Both give the same cells; the second also
says what is wrong with a row as a row. Not here: what the cells must hold.

What a row is: a line, or several lines when a quoted field holds the line ends between them. A quote that opens a
field and is not closed within ``LINES_A_ROW`` lines, or not properly, makes a bad row of its one line. Empty lines are
no rows. Quotes are doubled inside quoted fields; a quote inside an unquoted field is a character like any other.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, printable
from cinematch_assets.reading.outcome import FileRefused
from cinematch_assets.schemas.table import Table

BLOCK_BYTES = 32 * 2**20
HEADER_BYTES = 2**16
LONGEST_ROW_BYTES = 256 * 2**20
LINES_A_ROW = 100
BOM = b"\xef\xbb\xbf"

NEWLINE, RETURN, QUOTE = b'\n\r"'
WELL_QUOTED = r'^(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*$'

Faults = dict[int, list[str]]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns, and the byte at which its first line ends."""

    names: tuple[str, ...]
    ends_at: int

    def place(self, name: str) -> int:
        """Which column, from 0, has that name."""
        return self.names.index(name)


def read_header(file: BinaryIO, name: str, table: Table) -> Header:
    """The header of an open file; ``FileRefused`` when it is empty, not UTF-8, or lacks a column of ``table``."""
    head = file.read(HEADER_BYTES)
    bom = len(BOM) if head.startswith(BOM) else 0
    body = head[bom:].lstrip(b"\r\n")
    if not body.strip():
        raise FileRefused(name, "is empty")
    line = body.split(b"\n", 1)[0].removesuffix(b"\r")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise FileRefused(name, "is UTF-16 or binary, not text in UTF-8: save it as CSV in UTF-8")
    if b"\r" in line:
        raise FileRefused(name, "its lines end in carriage returns alone: save it with line feeds")
    try:
        fields = next(csv.reader([line.decode("utf-8")], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefused(name, f"its first line is not a CSV header in UTF-8: {error}") from error
    names = tuple(field.strip() for field in fields)
    check_columns(name, names, table)
    return Header(names, len(head) - len(body) + len(line))


def check_columns(file: str, seen: Sequence[str], table: Table) -> None:
    """``FileRefused`` unless each column of ``table`` is among ``seen``, once."""
    lacking = [column for column in table.column_names if column not in seen]
    if lacking:
        shown = printable(", ".join(seen).encode("utf-8", "backslashreplace"))[:200]
        raise FileRefused(file, f"no column {', '.join(lacking)} in its header (found: {shown})")
    twice = [column for column in table.column_names if list(seen).count(column) > 1]
    if twice:
        raise FileRefused(file, f"its header names {', '.join(twice)} more than once")


@dataclass(frozen=True, slots=True)
class Rows:
    """Where a block's rows are: byte offsets of their starts and ends, line ends left out."""

    starts: Index
    ends: Index
    well_quoted: bool

    def __len__(self) -> int:
        return len(self.starts)


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
        return (self.found is not None and not self.found.well_quoted) or not _is_utf8(self.text)

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


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def narrowed(rows: pa.Table | pa.RecordBatch, table: Table) -> pd.DataFrame | None:
    """Typed columns as a frame of the table's dtypes, or nothing where a number would change on the way."""
    values = {}
    for column in table.columns:
        wide = rows.column(column.name).to_numpy(zero_copy_only=False)
        values[column.name] = wide.astype(column.dtype, copy=False)
        if wide.dtype.kind == "f" and not np.array_equal(values[column.name], wide):
            return None
    return pd.DataFrame(values, copy=False)


def find_rows(text: bytes, *, at_end: bool) -> tuple[Rows, int]:
    """The rows of whole lines, and the offset up to which they are certain.

    A row whose quoted field is still open at the end of ``text`` waits for more, unless this is the file's end.
    """
    data = np.frombuffer(text, dtype=np.uint8)
    newlines = np.flatnonzero(data == NEWLINE)
    starts = np.concatenate(([0], newlines + 1))
    ends = np.concatenate((newlines, [len(data)]))
    merged, certain, well_quoted = _quoted_rows(text, data, starts, ends, at_end=at_end)
    if merged:
        last = np.arange(len(starts))
        keep = np.ones(len(starts), dtype=np.bool_)
        for row, end in merged.items():
            last[row] = end
            keep[row + 1 : end + 1] = False
        starts, ends = starts[keep], ends[last[keep]]
    starts, ends = starts[starts < certain], ends[starts < certain]
    ends = ends - (data[np.maximum(ends - 1, 0)] == RETURN) if len(data) else ends
    filled = ends > starts
    return Rows(starts[filled], ends[filled], well_quoted), certain


def _quoted_rows(
    text: bytes, data: NDArray[np.uint8], starts: Index, ends: Index, *, at_end: bool
) -> tuple[dict[int, int], int, bool]:
    """Lines that go on in later lines (first → last), the certain offset, and whether all quoting is plain."""
    quotes = np.flatnonzero(data == QUOTE)
    quoted = np.unique(np.searchsorted(ends, quotes))
    lines = pa.array([text[starts[i] : ends[i]].removesuffix(b"\r") for i in quoted.tolist()], pa.large_binary())
    plain = np.asarray(pc.match_substring_regex(lines, WELL_QUOTED).to_numpy(zero_copy_only=False), dtype=np.bool_)
    odd = quoted[~plain].tolist()
    merged: dict[int, int] = {}
    free = 0
    for line in odd:
        if line < free:
            continue
        end = _closing_line(text, starts, ends, line)
        if end is None and not at_end and line + LINES_A_ROW >= len(starts):
            return merged, int(starts[line]), False
        if end is not None and end > line:
            merged[line] = end
            free = end + 1
    return merged, len(text), not odd


def _closing_line(text: bytes, starts: Index, ends: Index, line: int) -> int | None:
    """The line on which the row that starts at ``line`` ends; nothing when its quotes do not close."""
    for end in range(line, min(line + LINES_A_ROW, len(starts))):
        fields, fault = split_row(text[starts[line] : ends[end]])
        if fields:
            return end
        if fault != OPEN_QUOTE:
            return line if end == line else None
    return None


OPEN_QUOTE = "has a quoted field that is not closed"
STRAY_RETURN = "holds a carriage return that ends no line"
CSV_ERRORS = {
    "unexpected end": OPEN_QUOTE,
    "expected after": "has a quoted field with text after its closing quote",
    "new-line character": STRAY_RETURN,
}


def split_row(row: bytes) -> tuple[list[str], str]:
    """The fields of a row with quotes in it, or none and what is wrong."""
    text = row.decode("utf-8", errors="backslashreplace")
    try:
        return next(csv.reader([text], strict=True)), ""
    except csv.Error as error:
        return [], next((fault for words, fault in CSV_ERRORS.items() if words in str(error)), f"is not CSV ({error})")


def split_lines(lines: list[bytes], header: Header, table: Table) -> tuple[Cells, Faults]:
    """The cells of rows given as bytes, and each row's faults as a row.

    A row that has not the header's number of fields has no cells; one with a NUL or broken UTF-8 has, so that what
    else is wrong with it is said too.
    """
    faults: Faults = {}
    lines = _spell_out(lines, faults)
    quoted = [i for i, line in enumerate(lines) if b'"' in line]
    plain = np.delete(np.arange(len(lines)), quoted)
    parts = [
        _split_plain([lines[i] for i in plain.tolist()] if quoted else lines, plain, header, table, faults),
        _split_quoted([lines[i] for i in quoted], quoted, header, table, faults),
    ]
    return _in_order([part for part in parts if len(part.positions)] or parts[:1]), faults


def _in_order(parts: list[Cells]) -> Cells:
    if len(parts) == 1:
        return parts[0]
    where = np.concatenate([part.positions for part in parts])
    order = pa.array(np.argsort(where, kind="stable"))
    names = parts[0].columns
    together = {name: pa.concat_arrays([part.columns[name] for part in parts]).take(order) for name in names}
    return Cells(np.sort(where), together)


def _split_plain(lines: list[bytes], where: Index, header: Header, table: Table, faults: Faults) -> Cells:
    """Rows without quotes: split at commas, all at once."""
    fields = pc.split_pattern(pa.array(lines, pa.large_binary()).cast(pa.large_string()), ",")
    widths = np.asarray(pc.list_value_length(fields).to_numpy(zero_copy_only=False))
    right = widths == len(header.names)
    for at in np.flatnonzero(~right).tolist():
        faults.setdefault(int(where[at]), []).append(_ragged(int(widths[at]), header))
    fields = fields.filter(pa.array(right))
    return Cells(where[right], {name: pc.list_element(fields, header.place(name)) for name in table.column_names})


def _split_quoted(lines: list[bytes], where: list[int], header: Header, table: Table, faults: Faults) -> Cells:
    """Rows with quotes: one by one, by the standard library."""
    positions, rows = [], []
    for i, line in zip(where, lines, strict=True):
        fields, fault = split_row(line)
        if len(fields) == len(header.names):
            positions.append(i)
            rows.append(fields)
        else:
            faults.setdefault(i, []).append(fault or _ragged(len(fields), header))
    columns = {name: [row[header.place(name)] for row in rows] for name in table.column_names}
    return Cells(
        np.asarray(positions, dtype=np.int64),
        {name: pa.array(values, pa.large_string()) for name, values in columns.items()},
    )


def _ragged(width: int, header: Header) -> str:
    return f"has {width} fields where the header has {len(header.names)}"


def _spell_out(lines: list[bytes], faults: Faults) -> list[bytes]:
    r"""The lines with bytes that are not UTF-8 written as ``\xNN``; notes those, NUL and stray returns as faults."""
    whole = b"\n".join(lines)
    if b"\0" not in whole and b"\r" not in whole and _is_utf8(whole):
        return lines
    spelled = list(lines)
    for i, line in enumerate(lines):
        found = []
        if b"\0" in line:
            found.append("holds a NUL byte")
        if b"\r" in line and b'"' not in line:
            found.append(STRAY_RETURN)
        if not _is_utf8(line):
            found.append("is not UTF-8")
            spelled[i] = line.decode("utf-8", errors="backslashreplace").encode()
        if found:
            faults[i] = found
    return spelled


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
