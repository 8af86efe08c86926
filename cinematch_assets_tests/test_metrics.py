import math

import numpy as np
import pytest

from cinematch_assets.metrics import mae, rmse, round_to_sum


def test_errors_by_hand() -> None:
    errors = np.array([3.0, -4.0, 0.0, 0.0], np.float32)
    assert (rmse(errors), mae(errors)) == (pytest.approx(2.5), pytest.approx(1.75))


@pytest.mark.parametrize("measure", [rmse, mae])
def test_the_order_of_errors_does_not_change_a_bit(measure) -> None:
    errors = np.random.default_rng(0).normal(0, 1, 10_001)
    assert len({measure(np.random.default_rng(seed).permutation(errors)) for seed in range(5)}) == 1


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e15])
def test_sums_of_any_rows_are_the_same_in_any_order_and_hardly_another(scale: float) -> None:
    random = np.random.default_rng(0)
    values = scale * random.normal(0, 1, 20_000) ** 4
    rounded = round_to_sum(values)
    group = random.integers(0, 50, len(values))
    sums = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(values))
        sums.append((np.cumsum(rounded[order])[-1], *np.bincount(group[order], rounded[order]).tolist()))
    assert len(set(sums)) == 1
    assert np.abs(rounded - values).max() <= len(values) * values.max() * 2.0**-52
    assert rounded.sum() == pytest.approx(math.fsum(values), rel=1e-11)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, np.inf], [np.nan, 1.0], [5e-324, 5e-324], [1e308, 1e308]])
def test_what_cannot_be_rounded_stays_as_it_is(values: list[float]) -> None:
    np.testing.assert_array_equal(round_to_sum(np.array(values)), values)
