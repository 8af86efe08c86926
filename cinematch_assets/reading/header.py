"""Read the header of a file and check that it has the table's columns.

Here: names of columns, encodings that are refused. Not here: the rows below it (``csv_rows``), their cells
(``csv_cells``).
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from cinematch_assets.reading.cells import printable
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.table import Table

MAX_HEADER_BYTES = 2**16
BOM = b"\xef\xbb\xbf"
_BEGINS_AS_NUMBER = re.compile(r"[-+.]?[0-9]")


@dataclass(frozen=True, slots=True)
class Header:
    """Names of a file's columns, and the byte offset at which its first line ends."""

    names: tuple[str, ...]
    ends_at: int

    def index(self, name: str) -> int:
        """Position of the column of that name, from 0."""
        return self.names.index(name)


def read_header(file: BinaryIO, name: str, table: Table) -> Header:
    """Read the header of an open file.

    Raises:
        FileRefused: The file is empty, not UTF-8, or lacks a column of ``table``.
    """
    head = file.read(MAX_HEADER_BYTES)
    start = len(BOM) if head.startswith(BOM) else 0
    body = head[start:].lstrip(b"\r\n")
    if not body.strip():
        raise FileRefused(name, "is empty")
    line = body.split(b"\n", 1)[0].removesuffix(b"\r")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise FileRefused(name, "is UTF-16 or binary, not text in UTF-8: save it as CSV in UTF-8")
    if b"\n" not in body and len(head) == MAX_HEADER_BYTES:
        raise FileRefused(name, f"its first line is longer than {MAX_HEADER_BYTES:,} bytes")
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
    """Check that each column of ``table`` is among ``seen``, once.

    Raises:
        FileRefused: A column is missing or repeated.
    """
    missing = [column for column in table.column_names if column not in seen]
    if missing:
        absent = f"no column {', '.join(missing)} in its header"
        if any(map(_BEGINS_AS_NUMBER.match, seen)):  # not shown: it may be a rating, and reasons are kept and sent
            raise FileRefused(file, f"{absent}: its first line is a row of data")
        shown = printable(", ".join(seen).encode("utf-8", "backslashreplace"))[:200]
        raise FileRefused(file, f"{absent} (found: {shown})")
    repeated = [column for column in table.column_names if list(seen).count(column) > 1]
    if repeated:
        raise FileRefused(file, f"its header names {', '.join(repeated)} more than once")
