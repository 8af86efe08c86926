"""How the files of the folder are named.

Here: the suffixes, which file of a folder is a table's, what a batch's name may be, which names are nearly right. Not
here: listing and fetching files (``drive``), reading them (``reading``), the columns of a table (``schemas``).
"""

import re
from collections.abc import Iterable

from cinematch_assets.errors import SurroundingsError

TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""Suffixes of a table's file, in any case: ``movies.CSV`` is one too."""
COLLECTION_SUFFIXES = (".json", ".csv", ".csv.gz")
"""Suffixes of a file of the movie collection."""
READ_SUFFIXES = tuple(dict.fromkeys((*TABLE_SUFFIXES, *COLLECTION_SUFFIXES)))
"""Every suffix that is read; files with others are never opened."""
TABLES = ("movies", "ratings")
BATCHES = "batches"
"""The folder of batches."""
COLLECTION = "Netflix_Movie_Collection"
"""The folder of the movie collection."""
BATCH_ID_PATTERN = r"[A-Za-z0-9_-]{1,50}"
BATCH_ID_RULE = "1 to 50 letters, digits, hyphens or underscores"
_COPY_WORDS = re.compile(r"copy of|copy|kopie von|kopie|[^a-z]+")
_PARTS_ADVICE = "is a folder: write its parts as one file, as pandas.read_parquet(folder).to_parquet(file) does"


class SeveralTableFilesError(SurroundingsError):
    """A folder holds more than one file for one table."""


def suffix_of(name: str) -> str:
    """Return the suffix that tells the format, in lower case; empty when it is none that is read."""
    lower = name.rpartition("/")[2].lower()
    found = [suffix for suffix in READ_SUFFIXES if lower.endswith(suffix) and len(lower) > len(suffix)]
    return max(found, key=len, default="")


def is_read(name: str) -> bool:
    """Return whether files with this suffix are read at all."""
    return bool(suffix_of(name))


def is_table_file(name: str) -> bool:
    """Return whether the suffix is one of a table's file."""
    return suffix_of(name) in TABLE_SUFFIXES


def is_collection_file(name: str) -> bool:
    """Return whether the suffix is one of a file of the movie collection."""
    return suffix_of(name) in COLLECTION_SUFFIXES


def table_of(path: str) -> str:
    """Return the path without its suffix: ``movies``, ``ratings`` or ``batches/<batch_id>`` for a table's file."""
    return path[: len(path) - len(suffix_of(path))]


def is_file_of(path: str, table: str) -> bool:
    """Return whether ``path`` is a file of ``table``, such as ``movies`` or ``batches/batch_w1``."""
    return is_table_file(path) and table_of(path) == table


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
    """Name the files that ``table`` may come in: ``movies.csv, movies.csv.gz or movies.parquet``."""
    return _alternatives([f"{table}{suffix}" for suffix in TABLE_SUFFIXES])


def batch_id_of(name: str) -> str | None:
    """Return the id of the batch in a file of that name; None when it cannot be a batch."""
    stem = table_of(name.rpartition("/")[2])
    return stem if is_table_file(name) and re.fullmatch(BATCH_ID_PATTERN, stem) else None


def near_miss(path: str) -> str | None:
    """Return why a file or folder at the top, or in the folder of batches, is not read though its name is nearly right.

    Args:
        path: Relative to the folder; that of a folder ends in ``/``.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    if folder == BATCHES:
        return _near_batch(name, is_folder=path.endswith("/"))
    return None if folder else _near_table(name, is_folder=path.endswith("/"))


def _near_batch(name: str, *, is_folder: bool) -> str | None:
    if is_folder:
        return _PARTS_ADVICE if is_table_file(name) else f"is a folder: batches are files in {BATCHES}/ itself"
    if batch_id_of(name) is not None:
        return None
    return f"not a batch: name it {BATCH_ID_RULE}, then {_alternatives(TABLE_SUFFIXES)}"


def _near_table(name: str, *, is_folder: bool) -> str | None:
    if name in TABLES:
        return _PARTS_ADVICE if is_folder else f"has no suffix: name it {expected_names(name)}"
    word = _COPY_WORDS.sub("", _without_suffixes(name).lower())
    table = next((table for table in TABLES if word in (table, table.removesuffix("s"))), None)
    if is_folder:
        if table and name != _without_suffixes(name):
            return _PARTS_ADVICE
        meant = next((known for known in (BATCHES, COLLECTION) if _is_nearly(name, known)), None)
        return f"is not read: the folder is called {meant}" if meant else None
    if table:
        return None if is_file_of(name, table) else f"is not read: tables are called {expected_names(table)}"
    if is_table_file(name) and name.lower().startswith("batch"):
        return f"is not read: batches are read from the folder {BATCHES}/"
    return None


def _without_suffixes(name: str) -> str:
    return name.partition(".")[0]


def _is_nearly(name: str, known: str) -> bool:
    """Return whether a name differs from the known one in case, punctuation or a plural alone."""
    plain, wanted = (re.sub(r"[^a-z]", "", text.lower()) for text in (name, known))
    return name != known and plain.removesuffix("es") == wanted.removesuffix("es")


def _alternatives(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"
