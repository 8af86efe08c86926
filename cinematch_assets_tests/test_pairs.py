import itertools

import numpy as np
import pytest

from cinematch_assets.pairs import pair_keys

IDS = (0, 1, 2, 2**16, 2**31 - 1)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_keys_are_equal_where_both_ids_are_and_order_as_pairs_do(dtype: type[np.integer]) -> None:
    pairs = np.array(sorted(itertools.product(IDS, (-1, *IDS))), dtype)
    keys = pair_keys(pairs[:, 0], pairs[:, 1])
    assert keys.dtype == np.int64
    assert (np.diff(keys) > 0).all()
    assert keys.tolist() == [first * 2**32 + second for first, second in pairs.tolist()]


def test_one_id_may_stand_for_a_row_of_others() -> None:
    keys = pair_keys(np.array([[1], [2]], np.int32), np.array([[5, -1], [6, 7]], np.int32))
    assert keys.tolist() == [[2**32 + 5, 2**32 - 1], [2 * 2**32 + 6, 2 * 2**32 + 7]]


def test_the_ids_themselves_stay_as_they_were() -> None:
    users = np.array([3, 4])
    pair_keys(users, np.array([1, 2]))
    assert users.tolist() == [3, 4]
