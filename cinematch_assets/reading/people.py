"""Leave the rows of people out of a file of ratings, whatever its format, and change nothing else of it.

Here: which rows are a person's, and the file without them. Not here: who the people are (``pipeline.suppression``),
which files (``pipeline.erasure``). A row that has no user of its own, because its number of fields or the cell is
wrong, is a person's when any of its fields is their number: it could be of no use anyway.
"""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cinematch_assets.reading.cells import NUMBER, parse_cells
from cinematch_assets.reading.compressed import GZIP_MAGIC, open_unpacked
from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.csv_rows import Rows, find_rows
from cinematch_assets.reading.released import RawRows
from cinematch_assets.reading.table_file import Block, open_table
from cinematch_assets.schemas.ratings_file import RATINGS_FILE

OfPeople = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""Tells which user numbers, shape (n,), are those of the people."""

ERASED_ROW = b'erased"row\n'
"""Stands for a row that kept the rows around it apart: a quote followed by text ends each quoted field with a fault."""

_NUMBER = re.compile(NUMBER.replace("?P<number>", "").encode())
_FIELD_ENDS = re.compile(rb'[,;|"\t]+')


def leave_out_people(path: Path, name: str, target: Path, of_people: OfPeople) -> NDArray[np.int64]:
    """Write the file at ``path`` to ``target`` without the rows of people; return the numbers of those, from 1.

    Without such a row nothing is written. Compressed files stay compressed, and Parquet stays Parquet. Where rows with
    broken quotes would join once a row between them is gone, ``ERASED_ROW`` stands in its place, itself a bad row.

    Raises:
        FileRefused: Its rows cannot be told apart; the message calls it ``name``.
    """
    source = open_table(path, name, RATINGS_FILE)
    masks = [_rows_of_people(block, of_people) for block in source.blocks()]
    gone = np.concatenate(masks) if masks else np.zeros(0, np.bool_)
    if gone.any():
        if isinstance(source, CsvFile):
            _write_csv(path, name, source, masks, target)
        else:
            _write_parquet(path, gone, target)
    return np.flatnonzero(gone) + 1


def find_rows_of_people(raw_rows: Sequence[str], columns: Sequence[str], of_people: OfPeople) -> NDArray[np.bool_]:
    """Return which raw rows of a file with these columns are a person's, shape (n,)."""
    lines = tuple(row.encode("utf-8", "backslashreplace") for row in raw_rows)
    if not set(RATINGS_FILE.column_names) <= set(columns):
        return np.array([_has_number(line, of_people) for line in lines], np.bool_)
    return _rows_of_people(RawRows(lines, tuple(columns), RATINGS_FILE), of_people)


def _rows_of_people(block: Block, of_people: OfPeople) -> NDArray[np.bool_]:
    typed = block.typed()
    if not isinstance(typed, str):
        return of_people(typed["userId"].to_numpy(np.int64))
    count, cells, _ = block.cells()
    users = parse_cells(RATINGS_FILE, cells)["userId"].to_numpy(np.float64)
    whole = np.isfinite(users) & (np.floor(users) == users) & (np.abs(users) < 2**53)
    gone, known = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    known[cells.positions[whole]] = True
    gone[cells.positions[whole]] = of_people(users[whole].astype(np.int64))
    unclear = np.flatnonzero(~known)
    gone[unclear] = [_has_number(raw, of_people) for raw in block.raw(unclear)]
    return gone


def _has_number(raw: bytes, of_people: OfPeople) -> bool:
    numbers = [float(field) for field in _FIELD_ENDS.split(raw) if _NUMBER.match(field)]
    whole = [int(number) for number in numbers if abs(number) < 2**53 and number.is_integer()]
    return bool(of_people(np.array(whole, np.int64)).any())


def _write_csv(path: Path, name: str, source: CsvFile, masks: Sequence[NDArray[np.bool_]], target: Path) -> None:
    with open_unpacked(path, name) as file, _opened_like(path, target) as out:
        out.write(file.read(source.header.ends_at))
        for number, (block, gone) in enumerate(zip(source.blocks(), masks, strict=True), start=1):
            rows = block.found or find_rows(block.text, at_end=True)[0]
            kept = _without_rows(block.text, rows, gone, b"")
            if not _reads_as(kept, block.raw(np.flatnonzero(~gone)), at_end=number == len(masks)):
                kept = _without_rows(block.text, rows, gone, ERASED_ROW)
            out.write(kept)


def _without_rows(text: bytes, rows: Rows, gone: NDArray[np.bool_], placeholder: bytes) -> bytes:
    """Return the text with ``placeholder`` where the rows that are gone and their line ends were."""
    ends = np.append(rows.starts[1:], len(text))
    pieces, kept_from = [], 0
    for start, end in zip(rows.starts[gone].tolist(), ends[gone].tolist(), strict=True):
        pieces.append(text[kept_from:start])
        kept_from = end
    return placeholder.join([*pieces, text[kept_from:]])


def _reads_as(text: bytes, lines: list[bytes], *, at_end: bool) -> bool:
    """Return whether the text has exactly these rows: a quote that nothing closed may be closed by a later row now."""
    if b'"' not in text:
        return True
    rows, certain = find_rows(text, at_end=at_end)
    found = [text[a:b] for a, b in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)]
    return certain == len(text) and found == lines


@contextmanager
def _opened_like(path: Path, target: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open ``target`` for writing, compressed if ``path`` is; the same rows give the same bytes."""
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    with target.open("wb") as plain:
        if is_packed:
            with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
                yield packed
        else:
            yield plain


def _write_parquet(path: Path, gone: NDArray[np.bool_], target: Path) -> None:
    with pq.ParquetFile(path) as file, pq.ParquetWriter(target, file.schema_arrow) as writer:
        first = 0
        for batch in file.iter_batches():
            keep = pa.array(~gone[first : first + len(batch)])
            writer.write_batch(batch.filter(keep))
            first += len(batch)
