"""Find where the rows of CSV text begin and end.

A row is a line, or several lines when a quoted field holds the line ends between them. A quote that opens a field and
is not closed within ``MAX_LINES_PER_ROW`` lines, or not properly, makes its single line a bad row. Empty lines are not
rows. Quotes are doubled inside quoted fields; a quote inside an unquoted field is an ordinary character.

Here: byte offsets, found by numpy; only lines with unusual quotes are parsed one by one. Not here: the cells of a row
(``csv_cells``), except ``split_row``, which tells whether quotes are closed.
"""

import csv
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_LINES_PER_ROW = 100
NEWLINE, RETURN, QUOTE = b'\n\r"'
WELL_QUOTED = r'^(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*$'

Index = NDArray[np.int64]

OPEN_QUOTE = "has a quoted field that is not closed"
STRAY_RETURN = "holds a carriage return that ends no line"
CSV_ERRORS = {
    "unexpected end": OPEN_QUOTE,
    "expected after": "has a quoted field with text after its closing quote",
    "new-line character": STRAY_RETURN,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Byte offsets at which the rows of a block start and end, without line ends."""

    starts: Index
    ends: Index
    well_quoted: bool

    def __len__(self) -> int:
        return len(self.starts)


def find_rows(text: bytes, *, at_end: bool) -> tuple[Rows, int]:
    """Return the rows of complete lines, and the offset up to which they are certain.

    A row whose quoted field is still open at the end of ``text`` is left for the next block, unless the file ends here
    (``at_end``).
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
    """Return lines that continue in later lines (first → last), the certain offset, whether all quoting is plain."""
    quotes = np.flatnonzero(data == QUOTE)
    quoted = np.flatnonzero(np.diff(np.searchsorted(quotes, ends), prepend=0))
    lines = pa.array([text[starts[i] : ends[i]].removesuffix(b"\r") for i in quoted.tolist()], pa.large_binary())
    plain = np.asarray(pc.match_substring_regex(lines, WELL_QUOTED).to_numpy(zero_copy_only=False), dtype=np.bool_)
    odd = quoted[~plain].tolist()
    merged: dict[int, int] = {}
    next_line = 0
    for line in odd:
        if line < next_line:
            continue
        end = _closing_line(text, starts, ends, line)
        if end is None and not at_end and line + MAX_LINES_PER_ROW >= len(starts):
            return merged, int(starts[line]), False
        if end is not None and end > line:
            merged[line] = end
            next_line = end + 1
    return merged, len(text), not odd


def _closing_line(text: bytes, starts: Index, ends: Index, line: int) -> int | None:
    """Return the line on which the row that starts at ``line`` ends; None when its quotes do not close."""
    for end in range(line, min(line + MAX_LINES_PER_ROW, len(starts))):
        fields, fault = split_row(text[starts[line] : ends[end]])
        if fields:
            return end
        if fault != OPEN_QUOTE:
            return line if end == line else None
    return None


def split_row(row: bytes) -> tuple[list[str], str]:
    """Return the fields of a row with quotes in it, or no fields and the fault."""
    text = row.decode("utf-8", errors="backslashreplace")
    try:
        return next(csv.reader([text], strict=True)), ""
    except csv.Error as error:
        return [], next((fault for words, fault in CSV_ERRORS.items() if words in str(error)), f"is not CSV ({error})")
