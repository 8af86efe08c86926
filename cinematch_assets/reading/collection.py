"""Files of ``Netflix_Movie_Collection``: one movie as a JSON object, several as a JSON list, many as CSV.

Here: many files at a time into one frame, since most hold a single movie and judging each alone would cost a hundred
times as much. Not here: what a movie must look like (``schemas.netflix_movies``), and movies that come in two files,
which are all accepted: that a movie is in the table once is the table's matter.

JSON says what type a value has, so a rating of "8.5" is text and no number; in CSV everything is text, so there it is
one. A file that cannot be read at all is one rejected row.
"""

import json
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
from cinematch_assets.reading.validation import judge
from cinematch_assets.schemas.models import parsed_schema
from cinematch_assets.schemas.netflix_movies import COLLECTION_FILE
from cinematch_assets.values import RejectedMovie, RejectedRow

LARGEST_JSON_BYTES = 4 * 2**20
RAW_CHARACTERS = 2_000
NO_LIMIT = RejectionLimit(share=1.0)
TEXTS = [column.name for column in COLLECTION_FILE.columns if not column.is_number]


@dataclass(frozen=True, slots=True)
class CollectionFile:
    """A landed file: its id, where it is, and the name that the folder knows it by (which tells JSON from CSV)."""

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
    """One movie of a JSON file before it is judged: any value, its text, and what is wrong with it already."""

    file: CollectionFile
    row_number: int
    value: object
    raw: str
    fault: str = ""


class _Movie(dict[str, object]):
    """A JSON object that remembers which of its names came twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = sorted({name for name in names if names.count(name) > 1}) if len(self) < len(pairs) else []


def read_collection(files: Sequence[CollectionFile]) -> CollectionReading:
    """Read any number of files; a file that is not there raises ``FileRefused``, all else is accepted or rejected."""
    frames, rejected = [], []
    entries: list[_Entry] = []
    for file in files:
        if file.name.lower().endswith(".csv"):
            accepted, faulty = _read_csv(file)
            frames.append(accepted)
            rejected += faulty
        else:
            entries += _read_json(file)
    accepted, faulty = _judged(entries)
    together = pd.concat([accepted, *frames], ignore_index=True)
    rejected += faulty
    return CollectionReading(len(together) + len(rejected), together, tuple(rejected))


def _read_csv(file: CollectionFile) -> tuple[pd.DataFrame, list[RejectedMovie]]:
    try:
        source = CsvFile(file.path, file.name, COLLECTION_FILE)
        reading = Reader(source, file.name, COLLECTION_FILE, NO_LIMIT).read(lambda _: np.empty(0, dtype=np.int64))
    except FileRefused as refused:
        why = str(refused).removeprefix(f"{file.name}: ")
        return _empty(), [RejectedMovie(file.id, file.name, RejectedRow(1, "", (why,)))]
    bad = {row.row_number for row in reading.rejected}
    good = [number for number in range(1, reading.rows_read + 1) if number not in bad]
    rejected = [RejectedMovie(file.id, file.name, row) for row in reading.rejected]
    return reading.accepted.assign(file_id=file.id, row_number=np.array(good, dtype=np.int64)), rejected


def _read_json(file: CollectionFile) -> list[_Entry]:
    try:
        with file.path.open("rb") as landed:
            content = landed.read(LARGEST_JSON_BYTES + 1)
    except FileNotFoundError as error:
        raise FileRefused(file.name, f"there is no file {file.path}") from error
    value, fault = _parse(content)
    if fault or not isinstance(value, list):
        return [_Entry(file, 1, value, printable(content[:RAW_CHARACTERS]), fault)]
    return [_Entry(file, n, movie, json.dumps(movie, ensure_ascii=False)) for n, movie in enumerate(value, start=1)]


def _parse(content: bytes) -> tuple[object, str]:
    """The value that JSON text stands for, or what is wrong with it."""
    if len(content) > LARGEST_JSON_BYTES:
        return None, f"is larger than {LARGEST_JSON_BYTES // 2**20} MB: split it, or send it as CSV"
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
    return value, "is a list of no movies" if value == [] else ""


def _judged(entries: list[_Entry]) -> tuple[pd.DataFrame, list[RejectedMovie]]:
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
    frame, reasons = judge(COLLECTION_FILE, cells, parsed_schema(COLLECTION_FILE))
    for position, why in reasons.items():
        faults.setdefault(position, []).extend(why)
    frame = frame[~frame.index.isin(list(faults))]
    origin = [entries[position] for position in frame.index]
    numbers = np.array([entry.row_number for entry in origin], dtype=np.int64)
    accepted = frame.assign(file_id=[entry.file.id for entry in origin], row_number=numbers)
    return accepted, [_rejected(entries[position], faults[position]) for position in sorted(faults)]


def _rejected(entry: _Entry, why: list[str]) -> RejectedMovie:
    raw = printable(entry.raw.encode("utf-8", "backslashreplace"))[:RAW_CHARACTERS]
    return RejectedMovie(entry.file.id, entry.file.name, RejectedRow(entry.row_number, raw, tuple(why)))


def _cells(movies: dict[int, _Movie], faults: Faults) -> Cells:
    """The movies' values as text; those of a wrong type are noted, or become text that is no number."""
    columns: dict[str, list[str | None]] = {name: [] for name in COLLECTION_FILE.column_names}
    for position, movie in movies.items():
        found = [f"names {name} more than once" for name in movie.twice if name in columns]
        for name, cells in columns.items():
            value = movie.get(name)
            if name in TEXTS:
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
        return [f"{name} holds half a character"]
    return []


def _empty() -> pd.DataFrame:
    return _judged([])[0]
