"""Split rows of CSV into cells, and find faults of whole rows: number of fields, quotes, encoding.

Here: the strict parser. Not here: where rows begin and end (``csv_rows``), what a cell must hold (``schemas``).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinematch_assets.reading.cells import Cells, Faults, is_utf8
from cinematch_assets.reading.csv_rows import STRAY_RETURN, Index, split_row
from cinematch_assets.reading.header import Header
from cinematch_assets.schemas.table import Table


def split_lines(lines: list[bytes], header: Header, table: Table) -> tuple[Cells, Faults]:
    """Return the cells of rows given as bytes, and the faults of each row as a whole.

    A row with another number of fields than the header has no cells. A row with a NUL or broken UTF-8 keeps its cells,
    so that its other faults are reported too.
    """
    faults: Faults = {}
    text = b"\n".join(lines)
    if b"\0" in text or b"\r" in text or not is_utf8(text):
        lines = _spell_out(lines, faults)
    quoted = [i for i, line in enumerate(lines) if b'"' in line] if b'"' in text else []
    plain = np.delete(np.arange(len(lines)), quoted)
    parts = [
        _split_plain([lines[i] for i in plain.tolist()] if quoted else lines, plain, header, table, faults),
        _split_quoted([lines[i] for i in quoted], quoted, header, table, faults),
    ]
    return _in_order([part for part in parts if len(part.positions)] or parts[:1]), faults


def _in_order(parts: list[Cells]) -> Cells:
    if len(parts) == 1:
        return parts[0]
    positions = np.concatenate([part.positions for part in parts])
    order = pa.array(np.argsort(positions, kind="stable"))
    names = parts[0].columns
    together = {name: pa.concat_arrays([part.columns[name] for part in parts]).take(order) for name in names}
    return Cells(np.sort(positions), together)


def _split_plain(lines: list[bytes], positions: Index, header: Header, table: Table, faults: Faults) -> Cells:
    """Split rows without quotes at commas, all at once."""
    fields = pc.split_pattern(pa.array(lines, pa.large_binary()).cast(pa.large_string()), ",")
    widths = np.asarray(pc.list_value_length(fields).to_numpy(zero_copy_only=False))
    complete = widths == len(header.names)
    for i in np.flatnonzero(~complete).tolist():
        faults.setdefault(int(positions[i]), []).append(_ragged(int(widths[i]), header))
    fields = fields.filter(pa.array(complete))
    columns = {name: pc.list_element(fields, header.index(name)) for name in table.column_names}
    return Cells(positions[complete], columns)


def _split_quoted(lines: list[bytes], indices: list[int], header: Header, table: Table, faults: Faults) -> Cells:
    """Split rows with quotes one by one, by the standard library."""
    positions, rows = [], []
    for i, line in zip(indices, lines, strict=True):
        fields, fault = split_row(line)
        if len(fields) == len(header.names):
            positions.append(i)
            rows.append(fields)
        else:
            faults.setdefault(i, []).append(fault or _ragged(len(fields), header))
    columns = {name: [row[header.index(name)] for row in rows] for name in table.column_names}
    return Cells(
        np.asarray(positions, dtype=np.int64),
        {name: pa.array(values, pa.large_string()) for name, values in columns.items()},
    )


def _ragged(width: int, header: Header) -> str:
    return f"has {width} fields where the header has {len(header.names)}"


def _spell_out(lines: list[bytes], faults: Faults) -> list[bytes]:
    r"""Return the lines with bytes that are not UTF-8 as ``\xNN``; note those, NUL and stray returns as faults."""
    spelled = list(lines)
    for i, line in enumerate(lines):
        found = []
        if b"\0" in line:
            found.append("holds a NUL byte")
        if b"\r" in line and b'"' not in line:
            found.append(STRAY_RETURN)
        if not is_utf8(line):
            found.append("is not UTF-8")
            spelled[i] = line.decode("utf-8", errors="backslashreplace").encode()
        if found:
            faults[i] = found
    return spelled
