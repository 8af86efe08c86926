"""Cells of text or of Parquet into the numbers and texts that a Pandera schema can judge.

Here: what counts as a number, what as missing, and how bytes that are no text are written down. Not here: which
numbers and texts are good (``schemas``).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cinematch_assets.schemas.table import Table

Faults = dict[int, list[str]]
"""What is wrong with a row as a row, by its position in the block."""

NUMBER = r"^[ \t]*(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t]*$"


@dataclass(frozen=True, slots=True)
class Cells:
    """Some rows of a file, one Arrow array a column; ``positions`` say which rows of their block they are."""

    positions: NDArray[np.int64]
    columns: dict[str, pa.Array]


def is_utf8(text: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def printable(raw: bytes) -> str:
    r"""Text that Postgres can store: bytes that are not UTF-8, and NUL, are written as ``\xNN``."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def _is_text(cells: pa.Array) -> bool:
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _numbers(cells: pa.Array) -> NDArray[np.float64]:
    """Each cell as float64, NaN where it is none: decimal notation with an exponent if need be, no hex, no 'inf'.

    A column of nothing but numbers is cast as it is, which is five times as fast as looking at each cell.
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


def parsed_frame(table: Table, cells: Cells) -> pd.DataFrame:
    """The cells as ``schemas.models.parsed_schema`` judges them, indexed by position in the block."""
    values = {
        column.name: _numbers(cells.columns[column.name])
        if column.is_number
        else _texts(cells.columns[column.name], nullable=column.nullable)
        for column in table.columns
    }
    return pd.DataFrame(values, index=cells.positions, copy=False)


def missing(cells: pa.Array) -> NDArray[np.bool_]:
    """Which cells hold nothing: null, or text that is only blanks."""
    empty = pc.is_null(cells)
    if _is_text(cells):
        empty = pc.or_kleene(empty, pc.equal(pc.utf8_trim_whitespace(cells), ""))
    return np.asarray(pc.fill_null(empty, True).to_numpy(zero_copy_only=False), dtype=np.bool_)


def narrowed(rows: pa.Table | pa.RecordBatch, table: Table) -> pd.DataFrame | None:
    """Typed columns as a frame of the table's dtypes, or nothing where a number would change on the way."""
    values = {}
    for column in table.columns:
        wide = rows.column(column.name).to_numpy(zero_copy_only=False)
        values[column.name] = wide.astype(column.dtype, copy=False)
        if wide.dtype.kind == "f" and not np.array_equal(values[column.name], wide):
            return None
    return pd.DataFrame(values, copy=False)
