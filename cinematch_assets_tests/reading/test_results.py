import pytest

from cinematch_assets.reading.results import Refusal, RejectionLimit, count_reasons, over_limit_error
from cinematch_assets.values import RejectedRow

ROWS = (RejectedRow(1, "a", ("x is bad", "y is bad")), RejectedRow(2, "b", ("y is bad",)))


@pytest.mark.parametrize(
    ("rejected", "rows", "exceeded"), [(5, 100, False), (6, 100, True), (0, 0, False), (1, 1, True)]
)
def test_the_limit_is_a_share_of_the_rows(rejected, rows, exceeded):
    assert RejectionLimit().exceeded(rejected, rows) is exceeded


def test_a_row_counts_for_each_of_its_reasons():
    assert count_reasons(ROWS) == {"x is bad": 1, "y is bad": 2}


def test_a_refusal_names_counts_and_reasons():
    refused = over_limit_error("r.csv", Refusal(10, ROWS, ("a", "b")), RejectionLimit(), complete=True)
    assert str(refused) == "r.csv: 2 of 10 rows do not fit (20.0%, 5.0% allowed): y is bad (2), x is bad (1)"
    assert (refused.file, refused.rows_read, refused.rejected, refused.columns) == ("r.csv", 10, ROWS, ("a", "b"))


def test_a_refusal_before_the_end_of_the_file_says_how_far_it_read():
    refused = over_limit_error("r.csv", Refusal(10, ROWS), RejectionLimit(), complete=False)
    assert "2 of the first 10 rows" in str(refused)
