import numpy as np
import pytest

from cinematch_assets.reading.released import reread_movies, reread_ratings
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.rating_files import HEADER, outcome, ratings_of, reasons, rows, write

SPELLED = r"has bytes written as \xNN: correct its text"
COLUMNS = tuple(HEADER.split(","))


def test_rows_of_a_movie_that_is_known_by_now_are_accepted(tmp_path):
    first = ratings_of(write(tmp_path, "timestamp,movieId,userId,rating\n5,10,1,4.0\n6,11,1,3.0\n"), known=[11])
    raw = [row.raw_row for row in first.rejected]
    reread = reread_ratings(raw, first.columns, known_movies=np.array([10, 11], dtype=np.int32))
    assert outcome(reread) == (1, [(1, 10, 4.0, 5)], [])


def test_rows_that_are_still_invalid_are_rejected_again_by_their_position(tmp_path):
    raw = ["1,10,4.0,5", '2,20,4.0,"6', "3,30,\\x00,7", "1,10,3.0,9"]
    reread = reread_ratings(raw, COLUMNS, known_movies=None)
    assert rows(reread.accepted) == [(1, 10, 3.0, 9)]
    assert reasons(reread) == {
        1: ("userId and movieId also in a newer row, which counts",),
        2: ("has a quoted field that is not closed",),
        3: (SPELLED, "rating is not a number"),
    }


def test_movies_are_reread_as_well():
    reread = reread_movies(['1,"Heat, The",Drama', "2,,Drama"], ("movieId", "title", "genres"))
    assert (rows(reread.accepted), reasons(reread)) == ([(1, "Heat, The", "Drama")], {2: ("title is empty",)})


def test_hex_spelling_of_bytes_is_not_accepted_as_text():
    reread = reread_movies([r"1,caf\xe9,Drama", r"2,C:\xmas,Drama"], ("movieId", "title", "genres"))
    assert (rows(reread.accepted), reasons(reread)) == ([(2, r"C:\xmas", "Drama")], {1: (SPELLED,)})


def test_columns_of_another_table_are_refused():
    with pytest.raises(FileRefused, match=r"^released rows: no column userId"):
        reread_ratings(["1,A,B"], ("movieId", "title", "genres"), known_movies=None)


def test_without_rows_no_row_is_read():
    assert outcome(reread_ratings([], COLUMNS, known_movies=None)) == (0, [], [])
