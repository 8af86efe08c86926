import pytest

from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.results import FileRefused, RejectionLimit
from cinematch_assets_tests.support.rating_files import ALL, reasons, rows, write
from cinematch_assets_tests.support.real_data import find_data


def movies_of(folder, *lines):
    return read_movies(write(folder, "\n".join(["movieId,title,genres", *lines]), "movies.csv"), limit=ALL)


def test_titles_and_genres_stay_as_the_file_writes_them(tmp_path):
    reading = movies_of(
        tmp_path,
        '11,"American President, The (1995)",Comedy|Drama|Romance',
        '12,"7"" Disc (1999)",(no genres listed)',
        '13,5" Disc (1999),',
        '14,"Two\nlines (2000)",Drama',
        "15, Léon (1994),Crime",
        "16,NA,null",
    )
    assert rows(reading.accepted) == [
        (11, "American President, The (1995)", "Comedy|Drama|Romance"),
        (12, '7" Disc (1999)', "(no genres listed)"),
        (13, '5" Disc (1999)', None),
        (14, "Two\nlines (2000)", "Drama"),
        (15, " Léon (1994)", "Crime"),
        (16, "NA", "null"),
    ]
    assert str(reading.accepted["movieId"].dtype) == "int32"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1,,Drama", ("title is empty",)),
        ("1,  ,Drama", ("title is empty",)),
        (f"1,{'x' * 501},Drama", ("title is not at most 500 characters long",)),
        (f"1,A,{'x' * 201}", ("genres is not at most 200 characters long",)),
        ("one,A,Drama", ("movieId is not a number",)),
        ("2.7,,Drama", ("movieId is not a whole number", "title is empty")),
        ("1,The President, A,Drama", ("has 4 fields where the header has 3",)),
    ],
)
def test_an_invalid_movie_is_rejected_with_every_reason(tmp_path, line, why):
    reading = movies_of(tmp_path, line, "7,Seven,Drama")
    assert (rows(reading.accepted), reasons(reading)) == ([(7, "Seven", "Drama")], {1: why})
    assert reading.rejected[0].raw_row == line


def test_lengths_count_characters_as_postgres_does(tmp_path):
    assert len(movies_of(tmp_path, f"1,{'é' * 500},{'ü' * 200}").accepted) == 1


def test_of_a_movie_that_comes_twice_the_last_row_counts(tmp_path):
    reading = movies_of(tmp_path, "1,Old,Drama", "2,Other,Drama", '1,"New, The",Drama')
    assert rows(reading.accepted) == [(2, "Other", "Drama"), (1, "New, The", "Drama")]
    assert [(row.row_number, row.raw_row) for row in reading.rejected] == [(1, "1,Old,Drama")]
    assert reasons(reading) == {1: ("movieId also in a newer row, which counts",)}


def test_a_wrong_header_names_what_is_missing_and_what_is_there(tmp_path):
    with pytest.raises(
        FileRefused, match=r"^movies\.csv: no column movieId in its header \(found: id, title, genres\)$"
    ):
        read_movies(write(tmp_path, "id,title,genres\n1,A,B\n", "movies.csv"), limit=RejectionLimit())


def test_movielens_latest_small_is_accepted_completely():
    reading = read_movies(find_data("ml-latest-small") / "movies.csv", limit=RejectionLimit())
    assert (reading.rows_read, len(reading.accepted)) == (9_742, 9_742)
