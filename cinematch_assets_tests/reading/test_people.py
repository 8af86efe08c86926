"""Files without the rows of people: nothing of them left, and nothing else changed."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from numpy.typing import NDArray

from cinematch_assets.reading.csv_rows import MAX_LINES_PER_ROW
from cinematch_assets.reading.people import ERASED_ROW, find_rows_of_people, leave_out_people
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.rating_files import BODY, HEADER, ODD_BODY, RELAXED, ratings_of, write

COLUMNS = HEADER.split(",")


def two(users: NDArray[np.int64]) -> NDArray[np.bool_]:
    return users == 2


def cleaned(path: Path) -> tuple[bytes, list[int]]:
    """The file without user 2, as bytes, and the row numbers that are gone; the file itself when none is."""
    target = path.with_suffix(".cleaned")
    target.unlink(missing_ok=True)
    removed = leave_out_people(path, path.name, target, two).tolist()
    assert target.exists() == bool(removed)
    return (target if removed else path).read_bytes(), removed


def test_whole_lines_go_and_the_others_stay_byte_for_byte(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEADER}\r\n1,2,4.0,1\r\n2,1,4.0,1\r\n\r\n3,2,4.0,2\r\n2,9,1.0,2")
    assert cleaned(path) == (f"{HEADER}\r\n1,2,4.0,1\r\n3,2,4.0,2\r\n".encode(), [2, 4])


def test_a_file_without_them_is_not_written(tmp_path: Path) -> None:
    assert cleaned(write(tmp_path, f"{HEADER}\n1,2,2.0,2\n22,2,4.0,1\n"))[1] == []


@pytest.mark.parametrize(
    "row",
    [
        "2,1,4.0,1", " 2 ,1,4.0,1", "+2,1,4.0,1", "2.0,1,4.0,1", "002,1,4.0,1", "0.2e1,1,4.0,1", '"2",1,4.0,1',
        "2,1,9.0,1", "2,,4.0,1", "2,1", "2", "2,1,4.0,1,5,6", "9,2,4.0", '2,"1\n2",4.0,1', '2,"1,4.0,1', "2,\x00,4.0,1",
    ],
)  # fmt: skip
def test_however_the_row_is_written_or_broken(tmp_path: Path, row: str) -> None:
    path = write(tmp_path, f"{HEADER}\n1,10,4.0,1\n{row}\n3,10,4.0,1\n")
    assert cleaned(path) == (f"{HEADER}\n1,10,4.0,1\n3,10,4.0,1\n".encode(), [2])


@pytest.mark.parametrize("row", ["22,2,2.0,2", "1,2,2.0,2", "2.5,1,4.0,1", "x,1,4.0,1", "-2,1,4.0,1"])
def test_other_users_stay_valid_or_not(tmp_path: Path, row: str) -> None:
    assert cleaned(write(tmp_path, f"{HEADER}\n{row}\n"))[1] == []


def test_columns_in_another_order_and_more_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, "movieId,note,userId,timestamp,rating\n2,of 2,1,2,2.0\n1,of 2,2,1,4.0\n")
    assert cleaned(path) == (b"movieId,note,userId,timestamp,rating\n2,of 2,1,2,2.0\n", [2])


def test_gzip_stays_gzip_and_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    content = f"{HEADER}\n1,2,4.0,1\n2,1,4.0,1\n".encode()
    path = write(tmp_path, gzip.compress(content), "ratings.csv.gz")
    first, removed = cleaned(path)
    assert (gzip.decompress(first), removed) == (f"{HEADER}\n1,2,4.0,1\n".encode(), [2])
    assert cleaned(path)[0] == first


def test_parquet_keeps_its_other_columns_and_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "userId": np.array([1, 2, 3, 2], np.int32),
            "note": list("abcd"),
            "movieId": [2, 1, 2, 2],
            "rating": [1.0, 2.0, 3.0, 99.0],
            "timestamp": pd.to_datetime([1, 2, 3, 4], unit="s"),
        }
    )
    path = tmp_path / "ratings.parquet"
    frame.to_parquet(path, index=False, row_group_size=2)
    content, removed = cleaned(path)
    assert removed == [2, 4]
    kept = pq.read_table(pa.BufferReader(content))
    assert kept.schema.equals(pq.read_schema(path))
    assert kept.column("note").to_pylist() == ["a", "c"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused):
        cleaned(write(tmp_path, "user,title\n2,1\n"))


@pytest.mark.parametrize(
    ("before", "theirs", "after"),
    [
        ('1,"1', '2",1\r2', '"'),
        ('1,"10,4.0,1', '2",10,"4.0"0,1', '3",10,4.0,1'),
        ('1,"1', '2,"x"y,4.0,1', '"'),
    ],
)  # fmt: skip
def test_rows_with_broken_quotes_stay_apart_without_the_row_between(
    tmp_path: Path, before: str, theirs: str, after: str
) -> None:
    path = write(tmp_path, f"{HEADER}\n{before}\n{theirs}\n{after}\n1,2,4.0,1\n")
    content, removed = cleaned(path)
    assert removed == [2]
    assert content == f"{HEADER}\n{before}\n{ERASED_ROW.decode()}{after}\n1,2,4.0,1\n".encode()
    path.write_bytes(content)
    reading = ratings_of(path)
    assert [row.raw_row for row in reading.rejected] == [before, ERASED_ROW.decode().rstrip(), after]
    assert len(reading.accepted) == 1


def test_a_quote_that_nothing_closed_within_the_limit_of_lines_stays_open(tmp_path: Path) -> None:
    others = "".join(f"3,{movie},4.0,1\n" for movie in range(1, MAX_LINES_PER_ROW - 1))
    path = write(tmp_path, f'{HEADER}\n1,"1\n{others}2,1,4.0,1\n"\n')
    before = ratings_of(path)
    content, removed = cleaned(path)
    assert removed == [MAX_LINES_PER_ROW]
    path.write_bytes(content)
    after = ratings_of(path)
    assert len(after.accepted) == len(before.accepted) - 1 == MAX_LINES_PER_ROW - 2
    assert [row.raw_row for row in after.rejected] == ['1,"1', 'erased"row', '"']


@RELAXED
@example(body=b'\n1,"1\n2",1\r2\n"\n')
@given(body=BODY)
def test_reading_it_gives_what_was_read_before_but_for_their_rows(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    for text in (body, body + ODD_BODY):
        path = write(tmp_path_factory.mktemp("people"), HEADER.encode() + b"\n" + text)
        try:
            before = ratings_of(path)
        except FileRefused:
            continue
        content, removed = cleaned(path)
        path.write_bytes(content)
        try:
            after = ratings_of(path)
        except FileRefused:
            assert len(removed) == before.rows_read
            continue
        placeholders = [row for row in after.rejected if row.raw_row == ERASED_ROW.decode().rstrip()]
        assert after.rows_read - len(placeholders) == before.rows_read - len(removed)
        kept = before.accepted[before.accepted["userId"] != 2].reset_index(drop=True)
        pd.testing.assert_frame_equal(after.accepted.reset_index(drop=True), kept)
        texts = [row.raw_row for row in before.rejected if row.row_number not in removed]
        assert [row.raw_row for row in after.rejected if row not in placeholders] == texts


def test_rows_of_the_quarantine(tmp_path: Path) -> None:
    raw = ["2,1,9.0,1", "1,2,9.0,1", "2,1", "x", r"2,\x00,4.0,1", ""]
    expected = [True, False, True, False, True, False]
    assert find_rows_of_people(raw, COLUMNS, two).tolist() == expected
    assert find_rows_of_people(raw[:2], [], two).tolist() == [True, True]  # without a header any field counts
    assert find_rows_of_people([], COLUMNS, two).tolist() == []
