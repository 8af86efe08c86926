"""Reading a file of one table: blocks, judged one by one, into accepted and rejected rows.

Here: the loop over the blocks, the numbering of rows, the limit, rows that a later one replaces. Not here: how a block
gets its cells (``csv_file``, ``parquet_file``), what a cell must hold (``schemas``).
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.reading.cells import Cells, Faults, printable
from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.parquet_file import MAGIC, ParquetFile
from cinematch_assets.reading.results import FileRefused, Reading, Refusal, RejectionLimit, over_limit
from cinematch_assets.reading.validation import fits, judge
from cinematch_assets.schemas.models import parsed_schema, typed_schema
from cinematch_assets.schemas.table import Column, Table
from cinematch_assets.values import RejectedRow

WHOLE_UP_TO = 100_000
"""So many rejected rows are held before a file is refused without reading the rest."""

Replaced = Callable[[pd.DataFrame], NDArray[np.int64]]
"""Positions, ascending, of accepted rows that another row of the same key replaces."""


class Block(Protocol):
    """Some consecutive rows of a file."""

    def typed(self) -> pd.DataFrame | None:
        """All rows in their final types, or nothing when they need a closer look."""

    def cells(self) -> tuple[int, Cells, Faults]:
        """The number of rows, the cells, and what is wrong with which row as a row."""

    def raw(self, positions: NDArray[np.int64]) -> list[bytes]:
        """The rows at these positions as the file has them."""


class Source(Protocol):
    """A file, or anything else that has rows of one table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the order of the raw rows."""

    def rows_at_most(self) -> int:
        """An upper bound of the number of rows."""

    def blocks(self) -> Iterator[Block]:
        """All rows, in order."""

    def again(self, numbers: Iterable[int]) -> Iterator[tuple[int, Block]]:
        """Some blocks once more, by their numbers from 0."""


def open_table(path: Path, name: str, table: Table) -> Source:
    """The file at ``path``, Parquet by its name or its first bytes and CSV otherwise; ``name`` is for messages."""
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(MAGIC)) == MAGIC or path.suffix.lower() == ".parquet"
        return ParquetFile(path, name, table) if is_parquet else CsvFile(path, name, table)
    except FileNotFoundError as error:
        raise FileRefused(name, f"there is no file {path}") from error
    except OSError as error:
        raise FileRefused(name, f"cannot be opened: {error.strerror}") from error


def read_file(path: Path, name: str, table: Table, limit: RejectionLimit, replaced: Replaced) -> Reading:
    """Read a whole file of ``table``; ``FileRefused`` also when its size or time changes meanwhile."""
    source = open_table(path, name, table)
    before = path.stat()
    reading = Reader(source, name, table, limit).read(replaced)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileRefused(name, "changed while it was read: try again when it is complete")
    if not reading.rows_read:
        raise FileRefused(name, "has a header and no rows")
    return reading


class _Accepted:
    """Accepted rows, a growing array a column: the system moves pages when they grow, so nothing is held twice."""

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
        """All rows but those at these positions."""
        if len(without):
            keep = np.ones(len(next(iter(self._columns.values()))), dtype=np.bool_)
            keep[without] = False
            self._columns = {name: values[keep] for name, values in self._columns.items()}
        nullable = {c.name: c.dtype for c in self._table.columns if c.dtype == "Int32"}
        rows = pd.DataFrame(self._columns, copy=False)
        return rows.astype(nullable) if nullable else rows


def _storage(column: Column) -> str:
    """The numpy dtype that holds a column while it grows: integers with gaps are floats until they are complete."""
    if not column.is_number:
        return "object"
    return "float64" if column.dtype == "Int32" else column.dtype


class Reader:
    """One pass over the blocks of a source, and a second one over those whose raw rows turn out to be needed."""

    def __init__(self, source: Source, name: str, table: Table, limit: RejectionLimit) -> None:
        self._source, self._name, self._table, self._limit = source, name, table, limit
        self._typed, self._parsed = typed_schema(table, whole=False), parsed_schema(table)
        self._first_rows: list[int] = []
        self._rows = 0
        self._accepted = _Accepted(table)
        self._rejected: list[RejectedRow] = []
        self._tuples: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, replaced: Replaced) -> Reading:
        """All rows, of which those that another one replaces are rejected like any that do not fit."""
        for block in self._source.blocks():
            self._first_rows.append(self._rows + 1)
            frame = block.typed()
            if frame is not None and fits(frame, self._typed):
                self._rows += len(frame)
                self._accepted.add(frame)
            else:
                self._read_closely(block)
            self._refuse_early()
        doubles = replaced(self._accepted.frame(without=np.empty(0, dtype=np.int64)))
        self._reject_doubles(doubles)
        if self._limit.exceeded(len(self._rejected), self._rows):
            raise over_limit(self._name, self._refusal(), self._limit, whole=True)
        return Reading(
            self._name, self._rows, self._accepted.frame(without=doubles), tuple(self._rejected), self._source.columns
        )

    def _read_closely(self, block: Block) -> None:
        count, cells, reasons = block.cells()
        frame, unfit = judge(self._table, cells, self._parsed)
        for position, why in unfit.items():
            reasons.setdefault(position, []).extend(why)
        self._accepted.add(frame[~frame.index.isin(list(reasons))])
        positions = np.array(sorted(reasons), dtype=np.int64)
        for position, raw in zip(positions.tolist(), block.raw(positions), strict=True):
            self._reject(self._rows + 1 + position, raw, tuple(reasons[position]))
        self._rows += count

    def _reject(self, row_number: int, raw: bytes, reasons: tuple[str, ...]) -> None:
        shared = self._tuples.setdefault(reasons, reasons)
        self._rejected.append(RejectedRow(row_number, printable(raw), shared))

    def _refusal(self) -> Refusal:
        return Refusal(self._rows, tuple(self._rejected), self._source.columns)

    def _refuse_early(self) -> None:
        """Stop at a large file that no number of good rows can save: what is rejected takes memory."""
        bad = len(self._rejected)
        if (
            bad > WHOLE_UP_TO
            and self._limit.exceeded(bad, self._rows)
            and self._limit.exceeded(bad, self._source.rows_at_most())
        ):
            raise over_limit(self._name, self._refusal(), self._limit, whole=False)

    def _reject_doubles(self, positions: NDArray[np.int64]) -> None:
        if not len(positions):
            return
        numbers = self._row_numbers(positions)
        firsts = np.array(self._first_rows)
        blocks = np.searchsorted(firsts, numbers, side="right") - 1
        reason = (f"{' and '.join(self._table.key)} also in a newer row, which counts",)
        for number, block in self._source.again(np.unique(blocks).tolist()):
            here = numbers[blocks == number]
            for row_number, raw in zip(here.tolist(), block.raw(here - firsts[number]), strict=True):
                self._reject(row_number, raw, reason)
        self._rejected.sort(key=lambda row: row.row_number)

    def _row_numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row numbers of accepted rows: their positions, plus the rejected rows before each."""
        rejected = np.array([row.row_number for row in self._rejected], dtype=np.int64)
        accepted_before = rejected - 1 - np.arange(len(rejected))
        return positions + 1 + np.searchsorted(accepted_before, positions, side="right")
