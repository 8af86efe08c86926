import io

import pytest

from cinematch_assets.reading.header import check_columns, read_header
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.schemas.movies_file import MOVIES_FILE


def header_of(content):
    return read_header(io.BytesIO(content), "movies.csv", MOVIES_FILE)


@pytest.mark.parametrize(
    ("content", "ends_at"),
    [
        (b"movieId,title,genres\n1,A,B\n", 20),
        (b"\xef\xbb\xbfmovieId,title,genres\n", 23),
        (b"\n\r\nmovieId,title,genres", 23),
    ],
    ids=["plain", "byte order mark", "empty lines before it"],
)
def test_the_header_has_names_and_an_end(content, ends_at):
    header = header_of(content)
    assert (header.names, header.ends_at, header.index("genres")) == (("movieId", "title", "genres"), ends_at, 2)


def test_names_may_be_quoted_and_have_blanks_around_them():
    assert header_of(b'"title, long", genres ,movieId,title\r\n').names == ("title, long", "genres", "movieId", "title")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"  ", "is empty"),
        (b"movieId\0,title\n", "is UTF-16 or binary"),
        (b"movieId,titl\xe9\n", "its first line is not a CSV header in UTF-8"),
        (b'movieId,"title"x\n', "its first line is not a CSV header in UTF-8"),
    ],
)
def test_a_file_without_a_readable_header_is_refused(content, message):
    with pytest.raises(FileRefused, match=rf"^movies\.csv: {message}"):
        header_of(content)


def test_columns_are_each_there_once():
    check_columns("f", ["genres", "x", "title", "movieId"], MOVIES_FILE)
    with pytest.raises(FileRefused, match=r"^f: no column title, genres in its header \(found: movieId\)$"):
        check_columns("f", ["movieId"], MOVIES_FILE)
    with pytest.raises(FileRefused, match=r"^f: its header names title more than once$"):
        check_columns("f", ["movieId", "title", "genres", "title"], MOVIES_FILE)


@pytest.mark.parametrize("line", ["777000111,31,2.5,1234567000", " 777000111;31;2.5", "a,-1"])
def test_a_first_line_of_ratings_is_not_quoted(line):
    with pytest.raises(FileRefused, match=r"in its header: its first line is a row of data$"):
        header_of(line.encode() + b"\n")
