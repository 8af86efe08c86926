import numba
import numpy as np
import pytest

from cinematch_assets.recommender.kernels.compiled import compiled, compiled_in_order


@pytest.mark.parametrize("decorator", [compiled, compiled_in_order])
def test_a_kernel_is_compiled_where_no_cache_can_be_written(decorator, monkeypatch):
    # What numba does where neither the package's folder nor a home is writable.
    njit = numba.njit

    def njit_without_cache_folder(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available for file")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", njit_without_cache_folder)
    assert decorator(lambda x: 2.0 * x)(4.0) == 8.0


def test_other_errors_of_the_compiler_are_raised(monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiled(lambda x: x)


@compiled_in_order
def total(values):
    out = np.float32(0.0)
    for i in range(len(values)):
        out += values[i]
    return out


def test_sums_in_order_are_added_one_by_one_and_keep_infinities():
    values = np.array([1e8] + [1.0] * 64 + [-1e8], np.float32)
    assert total(values) == 0.0  # a vector unit would add up the ones first
    assert total(np.array([1.0, -np.inf], np.float32)) == -np.inf
