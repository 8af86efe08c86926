"""Which file of a folder holds a table.

Here: the choice by name. Not here: listing and fetching (``drive``), reading (``ratings``, ``movies``).
"""

from collections.abc import Iterable
from pathlib import Path

from cinematch_assets.reading.results import FileRefused

SUFFIXES = (".csv", ".parquet")


def one_table_file(names: Iterable[str], table: str, where: str) -> str:
    """The one of ``names`` that is ``<table>.csv`` or ``<table>.parquet``; ``FileRefused`` for none and for both."""
    wanted = [f"{table}{suffix}" for suffix in SUFFIXES]
    found = [name for name in names if name in wanted]
    if not found:
        raise FileRefused(where, f"there is no {' or '.join(wanted)} in this folder")
    if len(found) > 1:
        raise FileRefused(where, f"there are both {' and '.join(sorted(found))}: keep one")
    return found[0]


def table_file(folder: Path, table: str) -> Path:
    """The file of ``table`` in a local folder; ``FileRefused`` when folder or file are not there."""
    if not folder.is_dir():
        raise FileRefused(str(folder), "there is no such folder")
    return folder / one_table_file((path.name for path in folder.iterdir()), table, str(folder))
