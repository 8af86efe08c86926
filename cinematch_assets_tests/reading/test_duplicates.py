import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinematch_assets.pairs import pair_keys
from cinematch_assets.reading.duplicates import find_replaced
from cinematch_assets_tests.support.rating_files import RELAXED


def test_keys_are_equal_where_both_parts_are():
    first, second = np.array([1, 1, 2, 2**31 - 1], dtype=np.int32), np.array([2, 2, 1, 2**31 - 1], dtype=np.int32)
    keys = pair_keys(first, second)
    assert (keys[0] == keys[1], len(set(keys.tolist()))) == (True, 3)


def test_the_newest_stays_and_of_equally_new_ones_the_last():
    keys, times = np.array([7, 8, 7, 7, 9]), np.array([5, 1, 9, 9, 1])
    assert find_replaced(keys, times).tolist() == [0, 2]


def test_without_times_the_last_stays():
    assert find_replaced(np.array([3, 3, 1, 3])).tolist() == [0, 1]


def test_without_rows_no_row_is_replaced():
    assert find_replaced(np.empty(0, dtype=np.int64)).tolist() == []


@pytest.mark.faults("generated-files")
@RELAXED
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30))
def test_what_stays_is_what_a_dictionary_would_keep(rows):
    best: dict[int, tuple[int, int]] = {}
    for position, (key, age) in enumerate(rows):
        best[key] = max(best.get(key, (-1, -1)), (age, position))
    lost = find_replaced(np.array([k for k, _ in rows], dtype=np.int64), np.array([a for _, a in rows], dtype=np.int64))
    assert lost.tolist() == sorted(set(range(len(rows))) - {position for _, position in best.values()})
