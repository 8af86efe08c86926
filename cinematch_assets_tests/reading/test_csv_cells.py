import pytest

from cinematch_assets.reading.csv_cells import split_lines
from cinematch_assets.reading.header import Header
from cinematch_assets.schemas.ratings_file import RATINGS_FILE

HEADER = Header(("note", "userId", "movieId", "rating", "timestamp"), 0)


def split(*lines):
    cells, faults = split_lines(list(lines), HEADER, RATINGS_FILE)
    columns = [cells.columns[name].to_pylist() for name in RATINGS_FILE.column_names]
    return dict(zip(cells.positions.tolist(), zip(*columns, strict=True), strict=True)), faults


def test_rows_with_quotes_and_without_keep_their_order():
    cells, faults = split(b"x,1,10,4.0,5", b'"a, b",2,20,"3.5",6', b",3,30,3.0,7")
    assert (list(cells.items()), faults) == (
        [(0, ("1", "10", "4.0", "5")), (1, ("2", "20", "3.5", "6")), (2, ("3", "30", "3.0", "7"))], {},
    )  # fmt: skip


@pytest.mark.parametrize("line", [b"x,1,10,4.0", b'"x",1,10,4.0'])
def test_a_row_with_another_number_of_fields_has_no_cells(line):
    assert split(line, b"x,2,20,3.5,6") == (
        {1: ("2", "20", "3.5", "6")}, {0: ["has 4 fields where the header has 5"]},
    )  # fmt: skip


def test_a_row_that_is_not_utf_8_keeps_its_cells_beside_the_fault():
    cells, faults = split(b"x,1,10,\xff,5")
    assert (cells, faults) == ({0: ("1", "10", "\\xff", "5")}, {0: ["is not UTF-8"]})


def test_a_row_can_have_several_faults():
    (faults,) = split(b"\xff\0,1\r,10")[1].values()
    assert faults == [
        "holds a NUL byte",
        "holds a carriage return that ends no line",
        "is not UTF-8",
        "has 3 fields where the header has 5",
    ]


def test_no_lines_give_no_cells():
    assert split() == ({}, {})
