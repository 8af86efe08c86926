import pytest

from cinematch_assets.reading.ratings import read_ratings
from cinematch_assets.reading.results import FileRefused, RejectionLimit
from cinematch_assets_tests.support.rating_files import ALL, HEADER, outcome, ratings_of, reasons, refusal, rows, write
from cinematch_assets_tests.support.real_data import find_data

TIME = 1_112_486_027
UTF_16 = "is UTF-16 or binary, not text in UTF-8: save it as CSV in UTF-8"
GOOD = f"1,10,4.0,{TIME}"


def test_valid_rows_are_accepted_in_the_types_of_the_table(tmp_path):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n{GOOD}\n2,20,0.5,{TIME}\n"))
    assert rows(reading.accepted) == [(1, 10, 4.0, TIME), (2, 20, 0.5, TIME)]
    assert [str(dtype) for dtype in reading.accepted.dtypes] == ["int32", "int32", "float32", "int64"]
    assert (reading.file, reading.rows_read, reading.rejected) == ("ratings.csv", 2, ())


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f"2.7,10,4.0,{TIME}", ("userId is not a whole number",)),
        (f"0,10,4.0,{TIME}", ("userId is not from 1 to 2147483647",)),
        (f"1,2147483648,4.0,{TIME}", ("movieId is not from 1 to 2147483647",)),
        (f"99999999999999999999999,10,4.0,{TIME}", ("userId is not from 1 to 2147483647",)),
        (f"0x1F,10,4.0,{TIME}", ("userId is not a number",)),
        (f"-1,10,4.0,{TIME}", ("userId is not from 1 to 2147483647",)),
        (f",10,4.0,{TIME}", ("userId is missing",)),
        (f"1,10,0,{TIME}", ("rating is not from 0.5 to 5.0",)),
        (f"1,10,0.4,{TIME}", ("rating is not from 0.5 to 5.0", "rating is not in half steps")),
        (f"1,10,5.5,{TIME}", ("rating is not from 0.5 to 5.0",)),
        (f"1,10,4.49999999999,{TIME}", ("rating is not in half steps",)),
        (f"1,10,NaN,{TIME}", ("rating is not a number",)),
        (f"1,10,inf,{TIME}", ("rating is not a number",)),
        (f"1,10,good,{TIME}", ("rating is not a number",)),
        (f"1,10,  ,{TIME}", ("rating is missing",)),
        (
            f"1,10,4.0,{TIME}000",
            (
                "timestamp is in milliseconds, seconds are expected",
                "timestamp is not a time from 1970 to 2099, in seconds",
            ),
        ),
        ("1,10,4.0,-5", ("timestamp is not a time from 1970 to 2099, in seconds",)),
        ("1,10,4.0,yesterday", ("timestamp is not a number",)),
        ("1,10,4.0", ("has 3 fields where the header has 4",)),
        (f"{GOOD},5", ("has 5 fields where the header has 4",)),
        ("   ", ("has 1 fields where the header has 4",)),
        (f'1,10,"4.0,{TIME}', ("has a quoted field that is not closed",)),
        (f'1,10,"4"0,{TIME}', ("has a quoted field with text after its closing quote",)),
    ],
)
def test_an_invalid_row_is_rejected_with_every_reason(tmp_path, row, why):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n3,30,3.0,5\n{row}\n4,40,4.0,6\n"))
    assert outcome(reading) == (3, [(3, 30, 3.0, 5), (4, 40, 4.0, 6)], [(2, row, why)])


def test_a_row_with_many_faults_is_rejected_with_all_of_them(tmp_path):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n2.7,,5.7,x\n"))
    assert reasons(reading)[1] == (
        "userId is not a whole number",
        "movieId is missing",
        "rating is not from 0.5 to 5.0",
        "rating is not in half steps",
        "timestamp is not a number",
    )


def test_bytes_that_are_not_text_are_written_as_hex(tmp_path):
    path = write(tmp_path, HEADER.encode() + b",tag\n1,10,4.0,5,\xff\n2,20,\x00,6,a\n3,30,4.0,7,caf\xc3\xa9\n")
    reading = ratings_of(path)
    assert [row.raw_row for row in reading.rejected] == ["1,10,4.0,5,\\xff", "2,20,\\x00,6,a"]
    assert reasons(reading) == {1: ("is not UTF-8",), 2: ("holds a NUL byte", "rating is not a number")}
    assert rows(reading.accepted) == [(3, 30, 4.0, 7)]


def test_numbers_are_read_as_people_and_programs_write_them(tmp_path):
    written = [' 1,"10",4,5', "2.0,20.0,+4.5,5.0", '3,30,"0.5",05', "4,40,5e-1,6\t", "5,50,.5,7"]
    reading = ratings_of(write(tmp_path, "\n".join([HEADER, *written])))
    assert rows(reading.accepted) == [(1, 10, 4, 5), (2, 20, 4.5, 5), (3, 30, 0.5, 5), (4, 40, 0.5, 6), (5, 50, 0.5, 7)]


def test_columns_come_in_any_order_with_others_between_them(tmp_path):
    path = write(tmp_path, 'timestamp,note,rating,userId," movieId "\n5,"a, b\nc",4.0,1,10\n6,x,3.0,2,20\n')
    reading = ratings_of(path)
    assert outcome(reading) == (2, [(1, 10, 4.0, 5), (2, 20, 3.0, 6)], [])
    assert reading.columns == ("timestamp", "note", "rating", "userId", "movieId")


@pytest.mark.parametrize(
    "content", [f"\ufeff{HEADER}\n{GOOD}\n", f"{HEADER}\r\n{GOOD}\r\n", f"\r\n{HEADER}\n\n\n{GOOD}"]
)
def test_byte_order_mark_windows_line_ends_and_empty_lines_are_ignored(tmp_path, content):
    assert outcome(ratings_of(write(tmp_path, content))) == (1, [(1, 10, 4.0, TIME)], [])


def test_the_newest_rating_counts_and_the_others_are_kept(tmp_path):
    lines = ["1,10,1.0,5", "bad,10,1.0,5", "1,10,2.0,9", "2,10,3.0,9", "1,10,3.0,9", "1,10,4.0,8"]
    reading = ratings_of(write(tmp_path, "\n".join([HEADER, *lines])))
    later = ("userId and movieId also in a newer row, which counts",)
    assert rows(reading.accepted) == [(2, 10, 3.0, 9), (1, 10, 3.0, 9)]
    assert [(row.row_number, row.raw_row) for row in reading.rejected] == [(n, lines[n - 1]) for n in (1, 2, 3, 6)]
    assert [reasons(reading)[n] for n in (1, 3, 6)] == [later] * 3


def test_a_rating_of_an_unknown_movie_is_rejected(tmp_path):
    path = write(tmp_path, f"{HEADER}\n1,10,4.0,5\n1,11,4.0,5\n")
    assert reasons(ratings_of(path, known=[10, 12])) == {2: ("movieId is not in the table of movies",)}
    assert len(ratings_of(path).accepted) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (f"{HEADER}\n\n".encode(), "has a header and no rows"),
        (
            b"user,movieId,stars\n1,2,3\n",
            "no column userId, rating, timestamp in its header (found: user, movieId, stars)",
        ),
        (
            b"userId;movieId;rating;timestamp\n",
            "no column userId, movieId, rating, timestamp in its header (found: userId;movieId;rating;timestamp)",
        ),
        (f"{HEADER},rating\n{GOOD},1\n".encode(), "its header names rating more than once"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), UTF_16),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16-le"), UTF_16),
        (f"{HEADER}\r{GOOD}\r".encode(), "its lines end in carriage returns alone: save it with line feeds"),
        (b"userId," * 10_000, "its first line is longer than 65,536 bytes"),
        (b"PAR1 and then nothing of the kind", "cannot be read as Parquet, it may be cut off or damaged"),
    ],
)
def test_a_file_of_another_format_is_refused_with_the_reason(tmp_path, content, message):
    assert str(refusal(ratings_of, write(tmp_path, content))).startswith(f"ratings.csv: {message}")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    assert str(refusal(ratings_of, tmp_path / "ratings.csv")) == f"ratings.csv: there is no file {tmp_path}/ratings.csv"


def test_over_the_limit_all_of_the_file_is_refused_with_its_numbers(tmp_path):
    bad = [f"{n},10,9.9,5" for n in range(6)]
    path = write(tmp_path, "\n".join([HEADER, *bad, *(f"{n},10,4.0,5" for n in range(6, 100))]))
    refused = refusal(ratings_of, path, limit=RejectionLimit())
    assert str(refused) == (
        "ratings.csv: 6 of 100 rows do not fit (6.0%, 5.0% allowed): rating is not from 0.5 to 5.0 (6),"
        " rating is not in half steps (6), userId is not from 1 to 2147483647 (1)"
    )
    assert (refused.rows_read, [row.raw_row for row in refused.rejected]) == (100, bad)


def test_a_file_at_the_limit_is_read(tmp_path):
    lines = [*(f"{n},10,9.9,5" for n in range(1, 6)), *(f"{n},10,4.0,5" for n in range(6, 101))]
    reading = ratings_of(write(tmp_path, "\n".join([HEADER, *lines])), limit=RejectionLimit())
    assert (reading.rows_read, len(reading.accepted), len(reading.rejected)) == (100, 95, 5)


def test_messages_use_the_name_that_the_folder_knows(tmp_path):
    path = write(tmp_path, "", name="a1b2c3")
    with pytest.raises(FileRefused, match=r"^batches/batch_w1\.csv: is empty$"):
        read_ratings(path, known_movies=None, limit=ALL, name="batches/batch_w1.csv")


def test_movielens_latest_small_is_accepted_completely():
    reading = ratings_of(find_data("ml-latest-small") / "ratings.csv", limit=RejectionLimit())
    assert (reading.rows_read, len(reading.accepted), reading.accepted["userId"].nunique()) == (100_836, 100_836, 610)


def test_times_may_be_missing_where_they_are_not_needed(tmp_path):
    path = write(tmp_path, "userId,movieId,rating\n1,10,4.0\n1,10,2.0\n2,20,0.5\n")
    assert "no column timestamp" in str(refusal(read_ratings, path, known_movies=None, limit=ALL))
    reading = read_ratings(path, known_movies=None, limit=ALL, are_times_needed=False)
    assert rows(reading.accepted) == [(1, 10, 2.0, 0), (2, 20, 0.5, 0)]
    with_times = write(tmp_path, f"{HEADER}\n{GOOD}\n", "times.csv")
    assert rows(read_ratings(with_times, known_movies=None, limit=ALL, are_times_needed=False).accepted) == [
        (1, 10, 4.0, TIME)
    ]
