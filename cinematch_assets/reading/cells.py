"""Convert cells of CSV or Parquet into the numbers and texts that a Pandera schema validates.

Here: what counts as a number, what as missing, and how bytes that are not text are written. Not here: which numbers
and texts are valid (``schemas``).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cinematch_assets.schemas.table import Table

Faults = dict[int, list[str]]
"""Faults of a row as a whole (number of fields, quotes, encoding), by the row's position in the block."""

NUMBER = r"^[ \t]*(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t]*$"


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of a block, one Arrow array per column; ``positions`` are their positions in the block."""

    positions: NDArray[np.int64]
    columns: dict[str, pa.Array]


def is_utf8(text: bytes) -> bool:
    """Return whether bytes are text in UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def printable(raw: bytes) -> str:
    r"""Return text that Postgres can store: bytes that are not UTF-8, and NUL, become ``\xNN``."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def _is_text(cells: pa.Array) -> bool:
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _numbers(cells: pa.Array) -> NDArray[np.float64]:
    """Each cell as float64, NaN where it is not a number in decimal notation: hex and 'inf' are not.

    A column that holds only numbers is cast at once, which is five times as fast as matching each cell.
    """
    if _is_text(cells):
        try:
            numbers = _as_floats(cells)
        except pa.ArrowInvalid:
            numbers = np.array([np.inf])
        if not np.isinf(numbers).any():
            return numbers
        cells = pc.struct_field(pc.extract_regex(cells, pattern=NUMBER), "number")
    return _as_floats(cells)


def _as_floats(cells: pa.Array) -> NDArray[np.float64]:
    return np.asarray(pc.cast(cells, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _texts(cells: pa.Array, *, nullable: bool) -> NDArray[np.object_]:
    if nullable:
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
    return np.asarray(cells.to_numpy(zero_copy_only=False), dtype=object)


def parse_cells(table: Table, cells: Cells) -> pd.DataFrame:
    """Return the cells as ``schemas.pandera_schema.parsed_schema`` validates them, indexed by position in the block."""
    values = {
        column.name: _numbers(cells.columns[column.name])
        if column.is_number
        else _texts(cells.columns[column.name], nullable=column.nullable)
        for column in table.columns
    }
    return pd.DataFrame(values, index=cells.positions, copy=False)


def is_missing(cells: pa.Array) -> NDArray[np.bool_]:
    """Return which cells are null or blank text."""
    empty = pc.is_null(cells)
    if _is_text(cells):
        empty = pc.or_kleene(empty, pc.equal(pc.utf8_trim_whitespace(cells), ""))
    return np.asarray(pc.fill_null(empty, True).to_numpy(zero_copy_only=False), dtype=np.bool_)


def cast_to_table(rows: pa.Table | pa.RecordBatch, table: Table) -> pd.DataFrame | None:
    """Return typed columns as a frame of the table's dtypes; None when a number would lose precision."""
    values = {}
    for column in table.columns:
        exact = rows.column(column.name).to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is told by the comparison
            values[column.name] = exact.astype(column.dtype, copy=False)
        if exact.dtype.kind == "f" and not np.array_equal(values[column.name], exact):
            return None
    return pd.DataFrame(values, copy=False)
