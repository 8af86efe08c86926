"""The first line of a file: which columns there are, and whether they are the table's.

Not here: the rows below it (``csv_rows``), what is in them (``csv_cells``).
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from cinematch_assets.reading.cells import printable
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.table import Table

HEADER_BYTES = 2**16
BOM = b"\xef\xbb\xbf"


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
    if b"\n" not in body and len(head) == HEADER_BYTES:
        raise FileRefused(name, f"its first line is longer than {HEADER_BYTES:,} bytes")
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
