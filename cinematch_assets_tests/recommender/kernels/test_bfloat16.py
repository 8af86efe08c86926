import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.bfloat16 import narrow, wide
from cinematch_assets.recommender.kernels.compiled import compiled_in_order


@compiled_in_order
def widened(bits: NDArray[np.uint16], out: NDArray[np.float32]) -> None:
    for at in range(len(bits)):
        out[at] = wide(bits[at])


def there_and_back(values: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty(len(values), np.float32)
    widened(narrow(values), out)
    return out


def test_numbers_of_few_bits_come_back_as_they_were() -> None:
    values = np.array([0.0, -0.0, 1.0, -1.5, 0.15625, 3.0e38, -(2.0**-100)], np.float32)
    assert there_and_back(values)[:5].tolist() == values[:5].tolist()
    assert np.allclose(there_and_back(values), values, rtol=2**-8, atol=0)


def test_others_come_back_within_half_a_unit_and_ties_go_to_even() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert np.allclose(there_and_back(values), values, rtol=2**-8, atol=0)
    ties = np.array([1 + 2**-8, 1 + 3 * 2**-8], np.float32)
    assert there_and_back(ties).tolist() == [1.0, 1 + 4 * 2**-8]
