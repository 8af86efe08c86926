"""Read a file of one table: validate its blocks one by one into accepted and rejected rows.

Here: the loop over the blocks, row numbers, the limit, rows that a later one replaces. Not here: parsing a block into
cells (``csv_file``, ``parquet_file``), what a cell must hold (``schemas``).
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, Faults, printable
from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.parquet_file import MAGIC, ParquetFile
from cinematch_assets.reading.results import FileRefused, Reading, Refusal, RejectionLimit, over_limit_error
from cinematch_assets.reading.validation import is_valid, validate_cells
from cinematch_assets.schemas.pandera_schema import parsed_schema, typed_schema
from cinematch_assets.schemas.table import Column, Table
from cinematch_assets.values import RejectedRow

EARLY_REFUSAL_ROWS = 100_000
"""Rejected rows above which a file may be refused before its end: each takes memory until then."""
MAX_REJECTED_BYTES = 64 * 2**20
"""Text of rejected rows above which a file is refused: it is all held until the end."""
MAX_STRICT_ROWS = 50_000
"""Rows that the strict parser takes at a time: an invalid one takes a hundred times the memory of a valid one."""

_LOG = logging.getLogger(__name__)

FindReplaced = Callable[[pd.DataFrame], NDArray[np.int64]]
"""Returns the positions, ascending, of accepted rows that another row of the same key replaces."""


class Block(Protocol):
    """Consecutive rows of a file."""

    def typed(self) -> pd.DataFrame | str:
        """Return all rows in their final types, or why the strict parser is needed."""

    def cells(self) -> tuple[int, Cells, Faults]:
        """Return the number of rows, their cells, and the faults of whole rows, by the strict parser."""

    def parts(self, max_rows: int) -> Iterator["Block"]:
        """Yield the block's rows as smaller blocks."""

    def raw(self, positions: NDArray[np.int64]) -> list[bytes]:
        """Return the rows at these positions as the file has them."""


class Source(Protocol):
    """A file, or another source of rows of one table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order of the raw rows."""

    def max_rows(self) -> int:
        """Return an upper bound of the number of rows."""

    def blocks(self) -> Iterator[Block]:
        """Yield all rows, in order."""

    def reread(self, numbers: Iterable[int]) -> Iterator[tuple[int, Block]]:
        """Yield the blocks with these numbers, counted from 0, again."""


def open_table(path: Path, name: str, table: Table) -> Source:
    """Open the file at ``path``: Parquet by its suffix or its first bytes, otherwise CSV.

    Raises:
        FileRefused: There is no such file, or it is not one of ``table``; the message calls it ``name``.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(MAGIC)) == MAGIC or path.suffix.lower() == ".parquet"
        return ParquetFile(path, name, table) if is_parquet else CsvFile(path, name, table)
    except FileNotFoundError as error:
        raise FileRefused(name, f"there is no file {path}") from error
    except OSError as error:
        raise FileRefused(name, f"cannot be opened: {error.strerror}") from error


def read_file(path: Path, name: str, table: Table, limit: RejectionLimit, find_replaced: FindReplaced) -> Reading:
    """Read all of a file of ``table``.

    Raises:
        FileRefused: Nothing of it may be used; also when its size or time changes meanwhile.
    """
    source = open_table(path, name, table)
    before = path.stat()
    reading = Reader(source, name, table, limit).read(find_replaced)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileRefused(name, "changed while it was read: try again when it is complete")
    if not reading.rows_read:
        raise FileRefused(name, "has a header and no rows")
    return reading


class _Accepted:
    """Accepted rows, one growing array per column; growing moves memory pages and copies nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = {c.name: np.empty(0, dtype=_storage(c)) for c in table.columns}

    def add(self, rows: pd.DataFrame) -> None:
        """Append the rows of a block."""
        for name, values in self._columns.items():
            before = len(values)
            values.resize(before + len(rows), refcheck=False)
            values[before:] = rows[name].astype(values.dtype).to_numpy()

    def frame(self, without: NDArray[np.int64]) -> pd.DataFrame:
        """Return all rows except those at these positions."""
        if len(without):
            keep = np.ones(len(next(iter(self._columns.values()))), dtype=np.bool_)
            keep[without] = False
            self._columns = {name: values[keep] for name, values in self._columns.items()}
        nullable = {c.name: c.dtype for c in self._table.columns if c.dtype == "Int32"}
        rows = pd.DataFrame(self._columns, copy=False)
        return rows.astype(nullable) if nullable else rows


def _storage(column: Column) -> str:
    """Return the numpy dtype of a growing column: nullable integers are floats until the column is complete."""
    if not column.is_number:
        return "object"
    return "float64" if column.dtype == "Int32" else column.dtype


class Reader:
    """One pass over the blocks of a source, and a second over those whose raw rows are needed after all.

    Args:
        source: Where the rows come from.
        name: The file's name in messages.
        table: Its columns.
        limit: Share of rejected rows above which the file is refused.
        early_refusal_rows: Rejected rows above which it may be refused before its end.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        table: Table,
        limit: RejectionLimit,
        early_refusal_rows: int = EARLY_REFUSAL_ROWS,
    ) -> None:
        self._source, self._name, self._table, self._limit = source, name, table, limit
        self._early_refusal_rows = early_refusal_rows
        self._typed_schema, self._parsed_schema = typed_schema(table, is_complete=False), parsed_schema(table)
        self._first_rows: list[int] = []
        self._rows = 0
        self._accepted = _Accepted(table)
        self._rejected: list[RejectedRow] = []
        self._rejected_bytes = 0
        self._shared_reasons: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, find_replaced: FindReplaced) -> Reading:
        """Read all rows; those that another row replaces are rejected too.

        Raises:
            FileRefused: More rows were rejected than the limit allows.
        """
        for block in self._source.blocks():
            self._first_rows.append(self._rows + 1)
            typed = block.typed()
            if isinstance(typed, str):
                self._read_strictly(block, typed)
            elif is_valid(typed, self._typed_schema):
                self._rows += len(typed)
                self._accepted.add(typed)
            else:
                self._read_strictly(block, "a row breaks a rule")
        replaced = find_replaced(self._accepted.frame(without=np.empty(0, dtype=np.int64)))
        self._reject_replaced(replaced)
        if self._limit.exceeded(len(self._rejected), self._rows):
            raise over_limit_error(self._name, self._refusal(), self._limit, complete=True)
        return Reading(
            self._name, self._rows, self._accepted.frame(without=replaced), tuple(self._rejected), self._source.columns
        )

    def _read_strictly(self, block: Block, why: str) -> None:
        _LOG.debug("%s: strict parser from row %d on: %s", self._name, self._rows + 1, why)
        for part in block.parts(MAX_STRICT_ROWS):
            self._read_part(part)
            self._refuse_early()

    def _read_part(self, block: Block) -> None:
        count, cells, reasons = block.cells()
        frame, invalid = validate_cells(self._table, cells, self._parsed_schema)
        for position, broken in invalid.items():
            reasons.setdefault(position, []).extend(broken)
        self._accepted.add(frame[~frame.index.isin(list(reasons))])
        positions = np.array(sorted(reasons), dtype=np.int64)
        for position, raw in zip(positions.tolist(), block.raw(positions), strict=True):
            self._reject(self._rows + 1 + position, raw, tuple(reasons[position]))
        self._rows += count

    def _reject(self, row_number: int, raw: bytes, reasons: tuple[str, ...]) -> None:
        shared = self._shared_reasons.setdefault(reasons, reasons)
        self._rejected.append(RejectedRow(row_number, printable(raw), shared))
        self._rejected_bytes += len(raw)

    def _refusal(self) -> Refusal:
        return Refusal(self._rows, tuple(self._rejected), self._source.columns)

    def _refuse_early(self) -> None:
        """Refuse a large file as soon as no number of valid rows can bring it below the limit, or too much is held."""
        bad = len(self._rejected)
        if self._rejected_bytes > MAX_REJECTED_BYTES or bad > self._limit.max_rows:
            raise FileRefused(
                self._name,
                f"{bad:,} of its first {self._rows:,} rows do not fit, more than are kept: split the file",
            )
        if (
            bad > self._early_refusal_rows
            and self._limit.exceeded(bad, self._rows)
            and self._limit.exceeded(bad, self._source.max_rows())
        ):
            raise over_limit_error(self._name, self._refusal(), self._limit, complete=False)

    def _reject_replaced(self, positions: NDArray[np.int64]) -> None:
        if not len(positions):
            return
        numbers = self._row_numbers(positions)
        firsts = np.array(self._first_rows)
        blocks = np.searchsorted(firsts, numbers, side="right") - 1
        reason = (self._table.replaced_reason,)
        for number, block in self._source.reread(np.unique(blocks).tolist()):
            here = numbers[blocks == number]
            for row_number, raw in zip(here.tolist(), block.raw(here - firsts[number]), strict=True):
                self._reject(row_number, raw, reason)
        self._rejected.sort(key=lambda row: row.row_number)

    def _row_numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row numbers of accepted rows: their positions, plus the rejected rows before each."""
        rejected = np.array([row.row_number for row in self._rejected], dtype=np.int64)
        accepted_before = rejected - 1 - np.arange(len(rejected))
        return positions + 1 + np.searchsorted(accepted_before, positions, side="right")
