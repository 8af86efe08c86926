import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.csv_rows import LINES_A_ROW, find_rows
from cinematch_assets.reading.outcome import FileRefused, RejectionLimit
from cinematch_assets.reading.ratings import older_ratings
from cinematch_assets.reading.table_file import Reader
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets_tests.reading.files import HEADER, RELAXED, in_blocks, outcome, ratings_of, reasons, write

# Pieces that rows are made of, so that random files are nearly right: the ways to go wrong are in here.
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


@RELAXED
@given(BODY)
@example(ODD_BODY)
def test_whatever_the_bytes_every_row_is_accepted_or_rejected_once(tmp_path_factory, body):
    path = write(tmp_path_factory.mktemp("any"), HEADER.encode() + b"\n" + body)
    try:
        reading = ratings_of(path)
    except FileRefused as refused:
        assert "header and no rows" in str(refused)  # noqa: PT017 - only one of the two may happen
        return
    numbers = [row.row_number for row in reading.rejected]
    assert reading.rows_read == len(reading.accepted) + len(reading.rejected)
    assert numbers == sorted(set(numbers) & set(range(1, reading.rows_read + 1)))
    assert all(row.reasons and "\0" not in row.raw_row for row in reading.rejected)
    assert not reading.accepted.duplicated(["userId", "movieId"]).any()


@RELAXED
@given(BODY, st.integers(1, 40))
@example(ODD_BODY, 1)
@example(ODD_BODY, 9)
@example(b"\n\xef\xbb\xbf\n\xef\xbb\xbf1,2,3.0,4\n", 1)  # pyarrow drops a mark where a block happens to begin
def test_where_blocks_end_does_not_matter_nor_which_path_reads_them(tmp_path_factory, body, block_bytes):
    path = write(tmp_path_factory.mktemp("any"), HEADER.encode() + b"\n" + body)
    at_once = outcome(in_blocks(path, 2**20))
    assert outcome(in_blocks(path, block_bytes)) == at_once
    assert outcome(in_blocks(path, 2**20, closely=True)) == at_once


@RELAXED
@given(BODY)
def test_the_rows_of_a_text_are_all_of_its_bytes_but_line_ends(body):
    found, certain = find_rows(body, at_end=True)
    between = bytearray(body)
    for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True):
        between[start:end] = b"\n" * (end - start)
    assert certain == len(body)
    assert set(bytes(between)) <= set(b"\r\n")


def test_a_quoted_field_may_go_on_over_many_lines(tmp_path):
    story = "\n" * (LINES_A_ROW - 1)
    path = write(tmp_path, f'{HEADER},note\n1,10,4.0,5,"a{story}b"\n2,20,4.0,6,c\n')
    assert [len(in_blocks(path, size).accepted) for size in (8, 64, 2**20)] == [2, 2, 2]


def test_a_quote_that_is_never_closed_takes_its_own_line_only(tmp_path):
    rows = [f"{n},10,4.0,5,x" for n in range(1, 2 * LINES_A_ROW)]
    path = write(tmp_path, "\n".join([f"{HEADER},note", '7000,10,4.0,5,"open', *rows]))
    for size in (100, 2**20):
        reading = in_blocks(path, size)
        assert reasons(reading) == {1: ("has a quoted field that is not closed",)}
        assert len(reading.accepted) == len(rows)


def test_a_stray_quote_does_not_swallow_good_rows_up_to_the_next(tmp_path):
    path = write(tmp_path, f'{HEADER},note\n1,10,4.0,5,"open\n2,20,4.0,5,x\n3,30,4.0,5,"closed"\n')
    reading = ratings_of(path)
    assert (len(reading.accepted), reasons(reading)) == (2, {1: ("has a quoted field that is not closed",)})


def test_a_return_inside_a_row_is_told(tmp_path):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n1,10,4.0,5\r2,20,4.0,6\n"))
    assert "holds a carriage return that ends no line" in reasons(reading)[1]


def test_a_large_file_beyond_hope_is_refused_before_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("cinematch_assets.reading.table_file.WHOLE_UP_TO", 10)
    path = write(tmp_path, "\n".join([HEADER, *["1,10,9.9,5"] * 100, *["1,10,4.0,5"] * 100]))
    reader = Reader(CsvFile(path, "r.csv", RATINGS_FILE, 200), "r.csv", RATINGS_FILE, RejectionLimit())
    with pytest.raises(
        FileRefused, match=r"^r\.csv: \d\d of the first \d\d rows do not fit \(100\.0%, 5\.0% allowed\)"
    ):
        reader.read(older_ratings)
