import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinematch_assets.reading.movies import read_movies
from cinematch_assets_tests.support.rating_files import (
    ALL,
    HEADER,
    RELAXED,
    outcome,
    ratings_of,
    reasons,
    refusal,
    rows,
    write,
)


def parquet(folder, columns, name="ratings.parquet"):
    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


def ratings(**columns):
    return {"userId": [1, 2], "movieId": [10, 20], "rating": [4.0, 3.5], "timestamp": [5, 6]} | columns


GOOD = [(1, 10, 4.0, 5), (2, 20, 3.5, 6)]


@pytest.mark.parametrize(
    "columns",
    [
        ratings(),
        ratings(userId=pa.array([1, 2], pa.uint8()), rating=pa.array([4.0, 3.5], pa.float32())),
        ratings(userId=[1.0, 2.0], timestamp=[5.0, 6.0]),
        ratings(movieId=["10", " 20.0"], rating=["4", "3.5"]),
        ratings(movieId=pa.array(["10", "20"]).dictionary_encode()),
        ratings(rating=pa.array([4.0, 3.5]).cast(pa.decimal128(3, 1))),
        dict(reversed(ratings(tag=[["a"], []]).items())),
    ],
    ids=["plain", "narrow", "whole floats", "text", "dictionary", "decimal", "other columns and order"],
)
def test_numbers_come_in_any_type_that_holds_them(tmp_path, columns):
    assert outcome(ratings_of(parquet(tmp_path, columns))) == (2, GOOD, [])


def test_invalid_rows_are_reported_as_rows_of_csv(tmp_path):
    columns = ratings(userId=[2.7, None], rating=[np.nan, 9.9], timestamp=[5, 2**62])
    reading = ratings_of(parquet(tmp_path, columns))
    assert [row.raw_row for row in reading.rejected] == ["2.7,10,nan,5", f",20,9.9,{2**62}"]
    assert reading.columns == ("userId", "movieId", "rating", "timestamp")
    assert reasons(reading) == {
        1: ("userId is not a whole number", "rating is not a number"),
        2: (
            "userId is missing",
            "rating is not from 0.5 to 5.0",
            "rating is not in half steps",
            "timestamp is not a time from 1970 to 2099, in seconds",
        ),
    }


def test_ids_too_large_for_their_column_are_rejected(tmp_path):
    columns = ratings(userId=pa.array([1, 2**63], pa.uint64()), movieId=[10, 2**31])
    assert reasons(ratings_of(parquet(tmp_path, columns))) == {
        2: ("userId is not from 1 to 2147483647", "movieId is not from 1 to 2147483647")
    }


def test_of_two_ratings_the_newest_counts(tmp_path):
    reading = ratings_of(parquet(tmp_path, ratings(userId=[1, 1], movieId=[10, 10], timestamp=[6, 5])))
    assert rows(reading.accepted) == [(1, 10, 4.0, 6)]
    assert [(row.row_number, row.raw_row) for row in reading.rejected] == [(2, "1,10,3.5,5")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"userId": [1], "movieId": [2]}, "no column rating, timestamp in its header (found: userId, movieId)"),
        (ratings(userId=[True, False]), "its column userId holds bool, numbers are expected"),
        (ratings(rating=[[4.0], [3.5]]), "its column rating holds list<"),
        (ratings(userId=[dt.datetime(2020, 1, 1)] * 2), "its column userId holds timestamp[us], numbers"),  # noqa: DTZ001
        (ratings(timestamp=[dt.timedelta(1)] * 2), "its column timestamp holds duration[us], numbers"),
        (ratings(userId=[], movieId=[], rating=[], timestamp=[]), "has a header and no rows"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, columns, message):
    assert str(refusal(ratings_of, parquet(tmp_path, columns))).startswith(f"ratings.parquet: {message}")


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path, kept):
    path = parquet(
        tmp_path, ratings(userId=range(1, 5001), movieId=[10] * 5000, rating=[4.0] * 5000, timestamp=[5] * 5000)
    )
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert str(refusal(ratings_of, path)).startswith("ratings.parquet: cannot be read as Parquet, it may be cut off")


def test_a_file_with_a_damaged_page_is_refused(tmp_path):
    path = tmp_path / "ratings.parquet"
    columns = {name: range(1, 5001) for name in ("userId", "movieId", "timestamp")} | {"rating": [4.0] * 5000}
    pq.write_table(pa.table(columns), path, write_page_checksum=True, compression="none", use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    damaged[2000] ^= 1
    path.write_bytes(damaged)
    assert str(refusal(ratings_of, path)).startswith("ratings.parquet: cannot be read as Parquet")


def test_bytes_that_are_not_text_are_rejected_row_by_row(tmp_path):
    titles = pa.array([b"Heat (1995)", b"caf\xe9", b"a\0b", None], pa.binary())
    path = parquet(
        tmp_path, {"movieId": [1, 2, 3, 4], "title": titles, "genres": [None, "", "Drama", "A|B"]}, "movies.parquet"
    )
    reading = read_movies(path, limit=ALL)
    assert rows(reading.accepted) == [(1, "Heat (1995)", None)]
    assert [(row.raw_row, row.reasons) for row in reading.rejected] == [
        ("2,caf\\xe9,", ("is not UTF-8",)),
        ("3,a\\x00b,Drama", ("holds a NUL byte",)),
        ("4,,A|B", ("title is missing",)),
    ]


def test_parquet_is_known_by_its_first_bytes_whatever_its_name(tmp_path):
    path = parquet(tmp_path, ratings(), name="0c4f")
    assert rows(ratings_of(path).accepted) == GOOD


NUMBER = st.one_of(st.sampled_from([1.0, 2.0, 3.0, 4.5, 0.0, 5.5, 2.7, 1e12, -1.0, None]), st.integers(1, 3).map(float))


@pytest.mark.faults("generated-files")
@RELAXED
@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), min_size=1, max_size=8))
def test_csv_and_parquet_of_the_same_numbers_are_read_alike(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("both")
    frame = pd.DataFrame(table, columns=HEADER.split(","), dtype="float64")
    frame.to_csv(folder / "ratings.csv", index=False)
    frame.to_parquet(folder / "ratings.parquet", index=False)
    as_csv, as_parquet = (ratings_of(folder / f"ratings.{suffix}") for suffix in ("csv", "parquet"))
    assert rows(as_csv.accepted) == rows(as_parquet.accepted)
    assert reasons(as_csv) == reasons(as_parquet)


TEXT = st.one_of(st.text(max_size=6), st.sampled_from(['"', ",", "a\nb", "NA", "", "(no genres listed)", "x" * 501]))


@pytest.mark.faults("generated-files")
@RELAXED
@given(st.lists(st.tuples(st.integers(0, 4), TEXT, TEXT), min_size=1, max_size=6))
def test_csv_and_parquet_of_the_same_texts_are_read_alike(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("both")
    frame = pd.DataFrame(table, columns=["movieId", "title", "genres"])
    frame.to_csv(write(folder, "", "movies.csv"), index=False, lineterminator="\n", quoting=2)
    frame.to_parquet(folder / "movies.parquet", index=False)
    as_csv, as_parquet = (read_movies(folder / f"movies.{suffix}", limit=ALL) for suffix in ("csv", "parquet"))
    assert rows(as_csv.accepted) == rows(as_parquet.accepted)
    assert reasons(as_csv) == reasons(as_parquet)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string_view(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_text_comes_in_any_type_that_holds_it(tmp_path, kind):
    columns = {
        "movieId": [1, 2, 3],
        "title": pa.array(["Heat (1995)", "Amélie (2001)", None]).cast(kind),
        "genres": pa.array(["Action|Crime", None, "Drama"]).cast(kind),
    }
    reading = read_movies(parquet(tmp_path, columns, "movies.parquet"), limit=ALL)
    assert rows(reading.accepted) == [(1, "Heat (1995)", "Action|Crime"), (2, "Amélie (2001)", None)]
    assert reasons(reading) == {3: ("title is missing",)}
    ids = pa.array(["1", "2"]).cast(kind)
    assert outcome(ratings_of(parquet(tmp_path, ratings(userId=ids)))) == (2, GOOD, [])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([5, 6]).cast(pa.timestamp("s")),
        pa.array([5_999, 6_001]).cast(pa.timestamp("ms")),
        pa.array([5_000_000_000, 6_000_000_000]).cast(pa.timestamp("ns", "America/New_York")),
        pa.array([5, 6]).cast(pa.int32()).dictionary_encode(),
    ],
    ids=lambda column: str(column.type).partition("<")[0],
)
def test_times_and_dictionaries_are_seconds(tmp_path, column):
    assert outcome(ratings_of(parquet(tmp_path, ratings(timestamp=column)))) == (2, GOOD, [])


@pytest.mark.parametrize("precision", [pa.decimal128(5, 2), pa.decimal256(40, 3), pa.float16(), pa.float32()], ids=str)
def test_ratings_come_in_any_number_that_holds_them(tmp_path, precision):
    column = pa.array([4.0, 3.5], pa.float16()) if precision == pa.float16() else pa.array([4.0, 3.5]).cast(precision)
    assert outcome(ratings_of(parquet(tmp_path, ratings(rating=column)))) == (2, GOOD, [])


def test_a_text_that_stands_for_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "movies.parquet"
    count = 100_000
    titles = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 900_000])
    pq.write_table(pa.table({"movieId": range(1, count + 1), "title": titles, "genres": titles}), path)
    assert path.stat().st_size < 2 * 2**20
    assert "rows do not fit, more than are kept" in str(refusal(read_movies, path, limit=ALL))
    pq.write_table(pa.table({"movieId": [1], "title": ["x" * 2_000_000], "genres": ["Drama"]}), path)
    assert "has a text of 2,000,000 bytes" in str(refusal(read_movies, path, limit=ALL))


def test_texts_stored_as_differences_are_read(tmp_path):
    path = tmp_path / "movies.parquet"
    titles = [f"A title that is nearly the same every time {n}" for n in range(3_000)]
    table = pa.table({"movieId": range(1, 3_001), "title": titles, "genres": ["Drama"] * 3_000})
    pq.write_table(table, path, use_dictionary=False, column_encoding={"title": "DELTA_BYTE_ARRAY"})
    assert read_movies(path, limit=ALL).accepted["title"].tolist() == titles
