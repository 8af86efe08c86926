import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.bfloat16 import from_bfloat16, to_bfloat16
from cinematch_assets.recommender.kernels.compiled import compiled_in_order


@compiled_in_order
def expand(bits: NDArray[np.uint16], out: NDArray[np.float32]) -> None:
    for i in range(len(bits)):
        out[i] = from_bfloat16(bits[i])


def round_trip(values: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty(len(values), np.float32)
    expand(to_bfloat16(values), out)
    return out


def test_numbers_of_at_most_eight_significant_bits_are_exact() -> None:
    values = np.array([0.0, -0.0, 1.0, -1.5, 0.15625, 3.0e38, -(2.0**-100)], np.float32)
    assert round_trip(values)[:5].tolist() == values[:5].tolist()
    assert np.allclose(round_trip(values), values, rtol=2**-8, atol=0)


def test_other_numbers_are_rounded_to_the_nearest_and_ties_to_even() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert np.allclose(round_trip(values), values, rtol=2**-8, atol=0)
    ties = np.array([1 + 2**-8, 1 + 3 * 2**-8], np.float32)
    assert round_trip(ties).tolist() == [1.0, 1 + 4 * 2**-8]
