"""Rating files for tests, random ones too, and results of reading in a form that can be compared."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.ratings import find_replaced_ratings, ratings_file_table, read_ratings
from cinematch_assets.reading.results import FileRefused, Reading, RejectionLimit
from cinematch_assets.reading.table_file import Reader

HEADER = "userId,movieId,rating,timestamp"
RELAXED = settings(deadline=None, max_examples=60)  # files are written for each example, on machines of any speed
ALL = RejectionLimit(share=1.0)

# Pieces of rows, so that random files are nearly valid; each way to be invalid is among them.
NUMBERS = [b"1", b"2", b"10", b"0.5", b"4.0", b"1000000", b"2.0", b" 3", b"+4"]
NOT_NUMBERS = [b"2.7", b"", b"0x1F", b"nan", b"inf", b"1e400", b"\0", b"\xff", b"\xc3\xa9", b"1\r2"]
QUOTED = [b'"1"', b'"4.0"', b'"1', b'4"', b'""', b'"a""b"', b'"a,b"', b'"1\n2"', b'"1\r\n2"', b'"4"0']
CELLS = st.sampled_from([*NUMBERS, *NOT_NUMBERS, *QUOTED])
GOOD_ROW = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 10), st.integers(0, 5)).map(
    lambda row: b"%d,%d,%.1f,%d" % (row[0], row[1], row[2] / 2, row[3])
)
ANY_ROW = st.lists(CELLS, min_size=3, max_size=5).map(b",".join)
LINE = st.one_of(GOOD_ROW, GOOD_ROW, ANY_ROW, st.binary(max_size=8))
ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"])
BODY = st.lists(st.tuples(LINE, ENDS), min_size=1, max_size=12).map(lambda lines: b"".join(a + b for a, b in lines))
ODD_BODY = b'1,2,3.0,4\n"1\n2",2,3.0,4\n1,3,"3\n1,1,2.0,1\n2,2,2.0,"2\n3,3,3.0,3\r4,4,4.0,4\n0x1,1,1,1\n1,2,"4",5\n'


def write(folder: Path, content: str | bytes, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ratings_of(path: Path, known: list[int] | None = None, limit: RejectionLimit = ALL) -> Reading:
    return read_ratings(path, known_movies=None if known is None else np.array(known, dtype=np.int32), limit=limit)


def in_blocks(path: Path, block_bytes: int, *, strictly: bool = False) -> Reading:
    table = ratings_file_table(None)
    source = CsvFile(path, path.name, table, block_bytes)
    if strictly:
        source = OnlyStrict(source)
    return Reader(source, path.name, table, ALL).read(find_replaced_ratings)


class OnlyStrict:
    """A source whose blocks always need the strict parser."""

    def __init__(self, source: CsvFile) -> None:
        self.source, self.columns = source, source.columns

    def max_rows(self):
        return self.source.max_rows()

    def blocks(self):
        return (StrictBlock(block) for block in self.source.blocks())

    def reread(self, numbers):
        return self.source.reread(numbers)


class StrictBlock:
    def __init__(self, block) -> None:
        self.cells, self.raw, self.parts = block.cells, block.raw, block.parts

    def typed(self):
        return "a test asked for it"


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
