"""A Parquet file as blocks of rows.

Here: the types a column may have, and the same two ways to a block's cells as in ``csv_file``. Not here: what cells
must hold (``schemas``). Integers may come as floats (2.0 is 2; as an id, 2.7 is rejected), and numbers as text, by the
rules of CSV.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, Faults, cast_to_table
from cinematch_assets.reading.header import check_columns
from cinematch_assets.reading.parquet_pages import check_claims
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.table import SECONDS, Table

BLOCK_ROWS = 2**20
BLOCK_TEXT_BYTES = 8 * 2**20
"""Text that one block holds; more of it makes the block shorter."""
MAX_TEXT_BYTES = 2**20
"""A longer cell refuses the file."""
MAGIC = b"PAR1"
_LIBRARY_FAULTS = (
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
)
"""What pyarrow raises for damaged bytes."""


def _is_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values, without dictionary or extension."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _normalise(cells: pa.Array) -> pa.Array:
    """Return cells of one of the types that the code below knows: text as bytes, numbers, seconds for times."""
    if isinstance(cells, pa.ExtensionArray):
        cells = cells.storage
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if _is_text(cells.type):
        return cells.cast(pa.large_binary())
    if _is_time(cells.type):
        return _seconds(cells)
    return cells.cast(pa.float64()) if pa.types.is_float16(cells.type) else cells


def _seconds(cells: pa.Array) -> pa.Array:
    """Return times as whole seconds since 1970; those without a zone count as UTC."""
    zone = getattr(cells.type, "tz", None)
    return pc.cast(cells, pa.timestamp("s", zone), safe=False).cast(pa.int64())


def _longest(cells: pa.Array) -> int:
    """Return the bytes of the longest text."""
    values = cells.dictionary if pa.types.is_dictionary(cells.type) else cells
    if not _is_text(values.type) or not len(values):
        return 0
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        values = values.cast(pa.large_binary())
    return int(pc.max(pc.binary_length(values)).as_py() or 0)


@dataclass(frozen=True, slots=True)
class ParquetBlock:
    """Consecutive rows of a file, only the table's columns."""

    rows: pa.RecordBatch
    table: Table

    def typed(self) -> pd.DataFrame | str:
        """Return the block's rows in their final types, or why the cells have to be parsed one by one."""
        if not all(column.is_number for column in self.table.columns):
            return "the table has columns of text"
        if any(cells.null_count or not _is_number(cells.type) for cells in self.rows.columns):
            return "a column of numbers has nulls or text"
        try:
            columns = [
                cells.cast(pa.float64() if column.dtype == "float32" else pa.type_for_alias(column.dtype))
                for column, cells in zip(self.table.columns, self.rows.columns, strict=True)
            ]
        except pa.ArrowInvalid as error:
            return str(error).splitlines()[0]
        frame = cast_to_table(pa.RecordBatch.from_arrays(columns, list(self.table.column_names)), self.table)
        return "a number does not fit its column" if frame is None else frame

    def cells(self) -> tuple[int, Cells, Faults]:
        """Return the number of rows, their cells, and the faults of whole rows."""
        faults: Faults = {}
        columns = {}
        for column, cells in zip(self.table.columns, self.rows.columns, strict=True):
            columns[column.name] = _decoded(cells, faults) if _is_text(cells.type) else cells
        return len(self.rows), Cells(np.arange(len(self.rows)), columns), faults

    def parts(self, max_rows: int) -> Iterator["ParquetBlock"]:
        """Yield the block's rows, up to ``max_rows`` at a time."""
        for first in range(0, len(self.rows), max_rows):
            yield ParquetBlock(self.rows.slice(first, max_rows), self.table)

    def raw(self, positions: NDArray[np.int64]) -> list[bytes]:
        """Return the rows at these positions as lines of CSV."""
        picked = self.rows.take(pa.array(positions))
        columns = [(_decoded(cells, {}) if _is_text(cells.type) else cells).to_pylist() for cells in picked.columns]
        return [_as_csv(row) for row in zip(*columns, strict=True)]


def _as_csv(row: tuple[object, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue().encode()


def _decoded(cells: pa.Array, faults: Faults) -> pa.Array:
    """Return bytes as text; note NUL and broken UTF-8 as faults."""
    for i in np.flatnonzero(pc.fill_null(pc.match_substring(cells, "\0"), False)).tolist():
        _note(faults, i, "holds a NUL byte")
    try:
        return cells.cast(pa.large_string())
    except pa.ArrowInvalid:
        values = cells.to_pylist()
    texts = []
    for i, value in enumerate(values):
        text = None if value is None else value.decode("utf-8", errors="backslashreplace")
        if text is not None and text.encode() != value:
            _note(faults, i, "is not UTF-8")
        texts.append(text)
    return pa.array(texts, pa.large_string())


def _note(faults: Faults, position: int, fault: str) -> None:
    """Note a fault once per row, even when several of its cells have it."""
    if fault not in faults.setdefault(position, []):
        faults[position].append(fault)


class ParquetFile:
    """A Parquet file of ``table``, read ``block_rows`` rows at a time; ``name`` is the file's name in messages.

    Raises:
        FileRefused: It is not a Parquet file with the columns of ``table``.
    """

    def __init__(self, path: Path, name: str, table: Table, block_rows: int = BLOCK_ROWS) -> None:
        self._path, self._name, self._table, self._block_rows = path, name, table, block_rows
        names = table.column_names
        try:
            with path.open("rb") as file:
                differences = check_claims(file, names, name)
                footer = pq.ParquetFile(file)
                schema, self._rows = footer.schema_arrow, footer.metadata.num_rows
                check_columns(name, schema.names, table)
                self._check_types(schema)
        except _LIBRARY_FAULTS as error:
            raise self._unreadable(error) from error
        self._batch_rows = min(block_rows, max(1, BLOCK_TEXT_BYTES // max(differences.values(), default=1)))
        # Repeated texts stay one text until it is known how long they are; pyarrow cannot do so with differences.
        texts = [each for each in names if _is_text(_plain_type(schema.field(each).type))]
        self._as_dictionary = [each for each in texts if each not in differences]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order of the raw rows."""
        return self._table.column_names

    def max_rows(self) -> int:
        """Return the number of rows in the file's footer."""
        return int(self._rows)

    def blocks(self) -> Iterator[ParquetBlock]:
        """Yield the file's rows in order."""
        collected: list[pa.RecordBatch] = []
        for batch in self._batches():
            rows = sum(map(len, collected)) + len(batch)
            size = sum(each.nbytes for each in collected) + batch.nbytes
            if collected and (rows > self._block_rows or size > max(BLOCK_TEXT_BYTES, self._block_rows * 32)):
                yield self._block(collected)
                collected = []
            collected.append(batch)
        if collected:
            yield self._block(collected)

    def _block(self, batches: list[pa.RecordBatch]) -> ParquetBlock:
        together = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        return ParquetBlock(together, self._table)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Yield rows in normal types, so few at a time that their texts fit."""
        names = list(self._table.column_names)
        try:
            with pq.ParquetFile(
                self._path, page_checksum_verification=True, read_dictionary=self._as_dictionary
            ) as file:
                for batch in file.iter_batches(self._batch_rows, columns=names):
                    longest = max(_longest(batch.column(name)) for name in names)
                    if longest > MAX_TEXT_BYTES:
                        raise FileRefused(
                            self._name, f"has a text of {longest:,} bytes, {MAX_TEXT_BYTES:,} are allowed"
                        )
                    step = max(1, BLOCK_TEXT_BYTES // max(longest, 1))
                    for first in range(0, len(batch), step):
                        part = batch.slice(first, step)
                        yield pa.RecordBatch.from_arrays([_normalise(part.column(name)) for name in names], names)
        except _LIBRARY_FAULTS as error:
            raise self._unreadable(error) from error

    def reread(self, numbers: Iterable[int]) -> Iterator[tuple[int, ParquetBlock]]:
        """Yield the blocks with these numbers, counted from 0 in the order of ``blocks``."""
        wanted = set(numbers)
        for number, block in enumerate(self.blocks()):
            if number in wanted:
                yield number, block

    def _unreadable(self, error: Exception) -> FileRefused:
        if isinstance(error, OSError) and error.errno is not None:
            raise error  # the disk's fault, not the file's
        first_line = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return FileRefused(self._name, f"cannot be read as Parquet, it may be cut off or damaged: {first_line}")

    def _check_types(self, schema: pa.Schema) -> None:
        for column in self._table.columns:
            kind = _plain_type(schema.field(column.name).type)
            fits = (
                _is_text(kind)
                or pa.types.is_null(kind)
                or (column.is_number and _is_number(kind))
                or (SECONDS in column.rules and _is_time(kind))
            )
            if not fits:
                wanted = "numbers are" if column.is_number else "text is"
                raise FileRefused(self._name, f"its column {column.name} holds {kind}, {wanted} expected")
