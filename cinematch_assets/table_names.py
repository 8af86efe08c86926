"""How the files of tables are named.

Here: the suffixes, which file of a folder is a table's, what a batch's name may be. Not here: listing and fetching
files (``drive``), reading them (``reading``), the columns of a table (``schemas``).
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from cinematch_assets.errors import SurroundingsError

TABLE_SUFFIXES = (".csv", ".parquet")
"""Suffixes of a table's file, in any case: ``movies.CSV`` is one too."""
BATCH_ID_PATTERN = r"[A-Za-z0-9_-]{1,50}"
BATCH_ID_RULE = "1 to 50 letters, digits, hyphens or underscores"


class SeveralTableFilesError(SurroundingsError):
    """A folder holds more than one file for one table."""


def is_table_file(name: str) -> bool:
    """Return whether the suffix is one of a table's file."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def is_file_of(path: str, table: str) -> bool:
    """Return whether ``path`` is a file of ``table``, such as ``movies`` or ``batches/batch_w1``."""
    return is_table_file(path) and str(PurePosixPath(path).with_suffix("")) == table


def choose_table_file(paths: Iterable[str], table: str, where: str) -> str | None:
    """Return the one of ``paths`` that is a file of ``table``; None when there is none.

    Raises:
        SeveralTableFilesError: There are several, in the folder that the message calls ``where``.
    """
    found = sorted(path for path in paths if is_file_of(path, table))
    if len(found) > 1:
        raise SeveralTableFilesError(f"{several_files_message(found, where)}.")
    return found[0] if found else None


def several_files_message(paths: Iterable[str], where: str) -> str:
    """Say that ``paths`` are files of one table, and what to do."""
    return f"{' and '.join(paths)} in {where} are one table: keep one, so that it is clear which one counts"


def expected_names(table: str) -> str:
    """Name the files that ``table`` may come in: ``movies.csv or movies.parquet``."""
    return " or ".join(f"{table}{suffix}" for suffix in TABLE_SUFFIXES)


def batch_id_of(name: str) -> str | None:
    """Return the id of the batch in a file of that name; None when it cannot be a batch."""
    stem = PurePosixPath(name).stem
    return stem if is_table_file(name) and re.fullmatch(BATCH_ID_PATTERN, stem) else None
