"""Files for the tests of this room, and what reading gives in a form that compares."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import settings

from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.outcome import FileRefused, Reading, RejectionLimit
from cinematch_assets.reading.ratings import older_ratings, ratings_table, read_ratings
from cinematch_assets.reading.table_file import Reader

HEADER = "userId,movieId,rating,timestamp"
RELAXED = settings(deadline=None, max_examples=60)  # files are written for each example, on machines of any speed
ALL = RejectionLimit(share=1.0)


def write(folder: Path, content: str | bytes, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ratings_of(path: Path, known: list[int] | None = None, limit: RejectionLimit = ALL) -> Reading:
    return read_ratings(path, known_movies=None if known is None else np.array(known, dtype=np.int32), limit=limit)


def in_blocks(path: Path, block_bytes: int, *, closely: bool = False) -> Reading:
    table = ratings_table(None)
    source = CsvFile(path, path.name, table, block_bytes)
    if closely:
        source = OnlyClosely(source)
    return Reader(source, path.name, table, ALL).read(older_ratings)


class OnlyClosely:
    """A source whose blocks never take the fast path."""

    def __init__(self, source: CsvFile) -> None:
        self.source, self.columns = source, source.columns

    def rows_at_most(self):
        return self.source.rows_at_most()

    def blocks(self):
        return (CloseBlock(block) for block in self.source.blocks())

    def again(self, numbers):
        return self.source.again(numbers)


class CloseBlock:
    def __init__(self, block) -> None:
        self.cells, self.raw = block.cells, block.raw

    def typed(self):
        return None


def outcome(reading: Reading) -> tuple[int, list[tuple], list[tuple]]:
    rejected = [(row.row_number, row.raw_row, row.reasons) for row in reading.rejected]
    return reading.rows_read, rows(reading.accepted), rejected


def rows(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.itertuples(index=False, name=None))


def reasons(reading: Reading) -> dict[int, tuple[str, ...]]:
    return {row.row_number: row.reasons for row in reading.rejected}


def refusal(read, *args, **options) -> FileRefused:
    try:
        read(*args, **options)
    except FileRefused as refused:
        return refused
    raise AssertionError("the file was not refused")
