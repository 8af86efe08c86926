import numpy as np
import pytest

from cinematch_assets.metrics import mae, rmse


def test_errors_by_hand() -> None:
    errors = np.array([3.0, -4.0, 0.0, 0.0], np.float32)
    assert (rmse(errors), mae(errors)) == (pytest.approx(2.5), pytest.approx(1.75))


@pytest.mark.parametrize("measure", [rmse, mae])
def test_the_order_of_errors_does_not_change_a_bit(measure) -> None:
    errors = np.random.default_rng(0).normal(0, 1, 10_001)
    assert len({measure(np.random.default_rng(seed).permutation(errors)) for seed in range(5)}) == 1
