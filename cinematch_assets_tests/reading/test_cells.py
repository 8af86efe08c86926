import numpy as np
import pyarrow as pa
import pytest

from cinematch_assets.reading.cells import Cells, is_missing, parse_cells, printable
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets.schemas.table import Column, Table

ONE_NUMBER = Table("one", "", (RATINGS_FILE.column("rating"),))
ONE_TEXT = Table("one", "", (Column("rating", "str", "TEXT", "any text", nullable=True),))


def parsed(values, table=ONE_NUMBER):
    cells = values if isinstance(values, pa.Array) else pa.array(values, pa.large_string())
    return parse_cells(table, Cells(np.arange(len(cells)), {"rating": cells}))["rating"].tolist()


@pytest.mark.parametrize("others", [[], ["x"]], ids=["as a column", "one by one"])
def test_numbers_are_decimal_whatever_else_is_in_their_column(others):
    assert parsed(["1", "-2.5", "+3", ".5", "4.", "1e2", "007", *others])[:7] == [1, -2.5, 3, 0.5, 4, 100, 7]


@pytest.mark.parametrize(
    "text", ["inf", "Infinity", "nan", "0x10", "1_000", "1,5", "", " ", "1 2", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_other_notations_are_not_numbers(text):
    assert np.isnan(parsed([text])[0])
    assert np.isnan(parsed([text, "x"])[0])


def test_numbers_of_parquet_keep_their_values():
    assert parsed(pa.array([1, 2**40])) == [1.0, 2.0**40]


def test_empty_text_is_null_in_a_nullable_column():
    assert parsed(["a", "", None, " "], ONE_TEXT) == ["a", None, None, " "]


def test_a_missing_cell_is_null_or_blank():
    assert is_missing(pa.array(["a", "", " \t", None], pa.large_string())).tolist() == [False, True, True, True]
    assert is_missing(pa.array([1.0, float("nan"), None])).tolist() == [False, False, True]


def test_bytes_that_postgres_refuses_are_spelled_out():
    assert printable(b"caf\xc3\xa9 \xff\x00") == "caf\N{LATIN SMALL LETTER E WITH ACUTE} \\xff\\x00"
