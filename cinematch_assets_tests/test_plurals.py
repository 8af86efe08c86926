import pytest

from cinematch_assets.plurals import count


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_001, "1,001 rows"), (-1, "-1 rows")]
)
def test_only_one_is_singular(number: int, text: str) -> None:
    assert count(number, "row") == text


def test_an_irregular_plural_is_given() -> None:
    assert [count(number, "batch", "batches") for number in (1, 3)] == ["1 batch", "3 batches"]
