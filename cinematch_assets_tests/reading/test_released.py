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
    again = reread_ratings(raw, first.columns, known_movies=np.array([10, 11], dtype=np.int32))
    assert outcome(again) == (1, [(1, 10, 4.0, 5)], [])


def test_rows_that_still_do_not_fit_are_rejected_again_by_their_place(tmp_path):
    raw = ["1,10,4.0,5", '2,20,4.0,"6', "3,30,\\x00,7", "1,10,3.0,9"]
    again = reread_ratings(raw, COLUMNS, known_movies=None)
    assert rows(again.accepted) == [(1, 10, 3.0, 9)]
    assert reasons(again) == {
        1: ("userId and movieId also in a newer row, which counts",),
        2: ("has a quoted field that is not closed",),
        3: (SPELLED, "rating is not a number"),
    }


def test_movies_are_reread_as_well():
    again = reread_movies(['1,"Heat, The",Drama', "2,,Drama"], ("movieId", "title", "genres"))
    assert (rows(again.accepted), reasons(again)) == ([(1, "Heat, The", "Drama")], {2: ("title is empty",)})


def test_bytes_that_were_no_text_do_not_come_back_as_their_spelling():
    again = reread_movies([r"1,caf\xe9,Drama", r"2,C:\xmas,Drama"], ("movieId", "title", "genres"))
    assert (rows(again.accepted), reasons(again)) == ([(2, r"C:\xmas", "Drama")], {1: (SPELLED,)})


def test_columns_that_are_not_the_tables_are_refused():
    with pytest.raises(FileRefused, match=r"^released rows: no column userId"):
        reread_ratings(["1,A,B"], ("movieId", "title", "genres"), known_movies=None)


def test_nothing_released_is_nothing_read():
    assert outcome(reread_ratings([], COLUMNS, known_movies=None)) == (0, [], [])
