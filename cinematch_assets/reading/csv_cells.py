"""The cells of rows of CSV, and what is wrong with a row as a row: its number of fields, its quotes, its bytes.

Not here: where rows are (``csv_rows``), what a cell must hold (``schemas``).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinematch_assets.reading.cells import Cells, Faults, is_utf8
from cinematch_assets.reading.csv_rows import STRAY_RETURN, Index, split_row
from cinematch_assets.reading.header import Header
from cinematch_assets.schemas.table import Table


def split_lines(lines: list[bytes], header: Header, table: Table) -> tuple[Cells, Faults]:
    """The cells of rows given as bytes, and each row's faults as a row.

    A row that has not the header's number of fields has no cells; one with a NUL or broken UTF-8 has, so that what
    else is wrong with it is said too.
    """
    faults: Faults = {}
    whole = b"\n".join(lines)
    if b"\0" in whole or b"\r" in whole or not is_utf8(whole):
        lines = _spell_out(lines, faults)
    quoted = [i for i, line in enumerate(lines) if b'"' in line] if b'"' in whole else []
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
