"""Read files of ``Netflix_Movie_Collection``: a movie as a JSON object, several as a JSON list, many as CSV.

Here: many files at a time into one frame, because most hold a single movie and validating each alone would take a
hundred times as long. Not here: what a valid movie is (``schemas.netflix_movies``); a movie that occurs in two files is
accepted twice, and ``warehouse.netflix`` stores it once.

JSON values have types, so a rating of "8.5" is text and not a number; in CSV all cells are text, so there it is one. A
file that cannot be read at all is one rejected row.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from cinematch_assets.reading.cells import Cells, Faults, printable
from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.results import FileRefused, RejectionLimit
from cinematch_assets.reading.table_file import Reader
from cinematch_assets.reading.validation import validate_cells
from cinematch_assets.schemas.netflix_movies import COLLECTION_FILE
from cinematch_assets.schemas.pandera_schema import parsed_schema
from cinematch_assets.table_names import is_table_file
from cinematch_assets.values import RejectedMovie, RejectedRow

MAX_JSON_BYTES = 4 * 2**20
MAX_RAW_CHARACTERS = 2_000
NO_LIMIT = RejectionLimit(share=1.0, max_rows=100_000)
MAX_MOVIES_PER_LIST = 100_000
TEXT_COLUMNS = [column.name for column in COLLECTION_FILE.columns if not column.is_number]


@dataclass(frozen=True, slots=True)
class CollectionFile:
    """A landed file: its id, its path, and its name in the folder, whose suffix tells JSON from CSV."""

    id: str
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class CollectionReading:
    """Files that were read: ``rows_read == len(accepted) + len(rejected)``.

    ``accepted`` has file_id and row_number beside title, genre (str), rating (float64, NaN for none) and year (Int32).
    """

    rows_read: int
    accepted: pd.DataFrame
    rejected: tuple[RejectedMovie, ...]


@dataclass(slots=True)
class _Entry:
    """One movie of a JSON file before validation: its value, its text, and the fault found so far."""

    file: CollectionFile
    row_number: int
    value: object
    raw: str
    fault: str = ""


class _Movie(dict[str, object]):
    """A JSON object that remembers which of its names occur more than once."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs) if len(self) < len(pairs) else {}
        self.repeated = sorted(name for name, count in counts.items() if count > 1)


def read_collection(files: Sequence[CollectionFile]) -> CollectionReading:
    """Read any number of files; every movie is accepted or rejected.

    Raises:
        FileRefused: A landed file is missing.
    """
    frames: list[pd.DataFrame] = []
    rejected: list[RejectedMovie] = []
    entries: list[_Entry] = []
    for file in files:
        if is_table_file(file.name):
            accepted_csv, rejected_csv = _read_csv(file)
            frames += accepted_csv
            rejected += rejected_csv
        else:
            entries += _read_json(file)
    accepted_json, rejected_json = _validate(entries)
    accepted = pd.concat([accepted_json, *frames], ignore_index=True)
    rejected += rejected_json
    return CollectionReading(len(accepted) + len(rejected), accepted, tuple(rejected))


def _read_csv(file: CollectionFile) -> tuple[list[pd.DataFrame], list[RejectedMovie]]:
    """Return the accepted movies as one frame, or none when the file is not such a CSV."""
    try:
        source = CsvFile(file.path, file.name, COLLECTION_FILE)
        reading = Reader(source, file.name, COLLECTION_FILE, NO_LIMIT).read(lambda _: np.empty(0, dtype=np.int64))
    except FileRefused as refused:
        why = str(refused).removeprefix(f"{file.name}: ")
        return [], [RejectedMovie(file.id, file.name, RejectedRow(1, "", (why,)))]
    bad = {row.row_number for row in reading.rejected}
    good = [number for number in range(1, reading.rows_read + 1) if number not in bad]
    rejected = [RejectedMovie(file.id, file.name, row) for row in reading.rejected]
    accepted = reading.accepted.assign(file_id=file.id, row_number=np.array(good, dtype=np.int64))
    return [accepted], rejected


def _read_json(file: CollectionFile) -> list[_Entry]:
    try:
        with file.path.open("rb") as landed:
            content = landed.read(MAX_JSON_BYTES + 1)
    except FileNotFoundError as error:
        raise FileRefused(file.name, f"there is no file {file.path}") from error
    value, fault = _parse(content)
    if fault or not isinstance(value, list):
        return [_Entry(file, 1, value, printable(content[:MAX_RAW_CHARACTERS]), fault)]
    return [_Entry(file, n, movie, json.dumps(movie, ensure_ascii=False)) for n, movie in enumerate(value, start=1)]


def _parse(content: bytes) -> tuple[object, str]:
    """Return the value of a JSON text, or its fault."""
    if len(content) > MAX_JSON_BYTES:
        return None, f"is larger than {MAX_JSON_BYTES // 2**20} MB: split it, or send it as CSV"
    if not content.strip():
        return None, "is empty"
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Movie)
    except UnicodeDecodeError:
        return None, "is not UTF-8"
    except RecursionError:
        return None, "is nested too deeply"
    except ValueError as error:
        return None, f"is not JSON: {error}"
    return value, _list_fault(value) if isinstance(value, list) else ""


def _list_fault(movies: list[object]) -> str:
    if len(movies) > MAX_MOVIES_PER_LIST:
        return f"lists more than {MAX_MOVIES_PER_LIST:,} movies: split it, or send it as CSV"
    return "" if movies else "is an empty list"


def _validate(entries: list[_Entry]) -> tuple[pd.DataFrame, list[RejectedMovie]]:
    faults: Faults = {}
    movies: dict[int, _Movie] = {}
    for position, entry in enumerate(entries):
        if entry.fault:
            faults[position] = [entry.fault]
        elif isinstance(entry.value, _Movie):
            movies[position] = entry.value
        else:
            faults[position] = ["is not a JSON object"]
    cells = _cells(movies, faults)
    frame, reasons = validate_cells(COLLECTION_FILE, cells, parsed_schema(COLLECTION_FILE))
    for position, why in reasons.items():
        faults.setdefault(position, []).extend(why)
    frame = frame[~frame.index.isin(list(faults))]
    origin = [entries[position] for position in frame.index]
    numbers = np.array([entry.row_number for entry in origin], dtype=np.int64)
    accepted = frame.assign(file_id=[entry.file.id for entry in origin], row_number=numbers)
    return accepted, [_rejected(entries[position], faults[position]) for position in sorted(faults)]


def _rejected(entry: _Entry, why: list[str]) -> RejectedMovie:
    raw = printable(entry.raw.encode("utf-8", "backslashreplace"))[:MAX_RAW_CHARACTERS]
    return RejectedMovie(entry.file.id, entry.file.name, RejectedRow(entry.row_number, raw, tuple(why)))


def _cells(movies: dict[int, _Movie], faults: Faults) -> Cells:
    """Return the movies' values as text; those of a wrong type are noted, or become text that is not a number."""
    columns: dict[str, list[str | None]] = {name: [] for name in COLLECTION_FILE.column_names}
    for position, movie in movies.items():
        found = [f"names {name} more than once" for name in movie.repeated if name in columns]
        for name, cells in columns.items():
            value = movie.get(name)
            if name in TEXT_COLUMNS:
                found += _text_faults(name, value)
                cells.append(None if value is None else value if isinstance(value, str) and not found else "?")
            else:
                cells.append(None if value is None else json.dumps(value))
        if found:
            faults[position] = found
    return Cells(
        np.fromiter(movies, dtype=np.int64),
        {name: pa.array(values, pa.large_string()) for name, values in columns.items()},
    )


def _text_faults(name: str, value: object) -> list[str]:
    if value is not None and not isinstance(value, str):
        return [f"{name} is not text"]
    if value and "\0" in value:
        return [f"{name} holds a NUL byte"]
    if value and not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return [f"{name} holds an unpaired surrogate"]
    return []
