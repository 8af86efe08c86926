import pytest
from hypothesis import given

from cinematch_assets.reading.csv_rows import MAX_LINES_PER_ROW, find_rows
from cinematch_assets_tests.support.rating_files import BODY, HEADER, RELAXED, in_blocks, ratings_of, reasons, write


def rows_of(text: bytes, *, at_end: bool = True) -> tuple[list[bytes], int]:
    found, certain = find_rows(text, at_end=at_end)
    return [text[a:b] for a, b in zip(found.starts.tolist(), found.ends.tolist(), strict=True)], certain


@pytest.mark.faults("generated-files")
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
    story = "\n" * (MAX_LINES_PER_ROW - 1)
    path = write(tmp_path, f'{HEADER},note\n1,10,4.0,5,"a{story}b"\n2,20,4.0,6,c\n')
    assert [len(in_blocks(path, size).accepted) for size in (8, 64, 2**20)] == [2, 2, 2]


def test_a_quote_that_is_never_closed_takes_its_own_line_only(tmp_path):
    rows = [f"{n},10,4.0,5,x" for n in range(1, 2 * MAX_LINES_PER_ROW)]
    path = write(tmp_path, "\n".join([f"{HEADER},note", '7000,10,4.0,5,"open', *rows]))
    for size in (100, 2**20):
        reading = in_blocks(path, size)
        assert reasons(reading) == {1: ("has a quoted field that is not closed",)}
        assert len(reading.accepted) == len(rows)


def test_a_stray_quote_does_not_swallow_good_rows_up_to_the_next(tmp_path):
    path = write(tmp_path, f'{HEADER},note\n1,10,4.0,5,"open\n2,20,4.0,5,x\n3,30,4.0,5,"closed"\n')
    reading = ratings_of(path)
    assert (len(reading.accepted), reasons(reading)) == (2, {1: ("has a quoted field that is not closed",)})


def test_a_carriage_return_inside_a_row_is_reported(tmp_path):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n1,10,4.0,5\r2,20,4.0,6\n"))
    assert "holds a carriage return that ends no line" in reasons(reading)[1]


def test_lines_are_rows_without_their_ends_and_empty_lines_are_not_rows():
    assert rows_of(b"a,b\r\n\n\r\nc,d\ne") == ([b"a,b", b"c,d", b"e"], 13)


def test_a_row_with_an_open_quote_is_left_for_the_next_block():
    assert rows_of(b'1,a\n2,"b\n3,c\n', at_end=False) == ([b"1,a"], 4)
    assert rows_of(b'1,a\n2,"b\n3,c"\n', at_end=False) == ([b"1,a", b'2,"b\n3,c"'], 14)


def test_a_quote_open_for_too_many_lines_ends_with_its_line():
    text = b'1,"a\n' + b"2,b\n" * MAX_LINES_PER_ROW
    assert rows_of(text, at_end=False) == ([b'1,"a', *[b"2,b"] * MAX_LINES_PER_ROW], len(text))


def test_text_without_rows_has_none():
    assert rows_of(b"") == ([], 0)
