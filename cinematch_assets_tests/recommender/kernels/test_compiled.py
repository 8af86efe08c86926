import numba
import pytest

from cinematch_assets.recommender.kernels.compiled import compiled, compiled_in_order


@pytest.mark.parametrize("compile_", [compiled, compiled_in_order])
def test_a_loop_that_cannot_be_cached_is_compiled_all_the_same(compile_, monkeypatch):
    # What numba does where neither the package's folder nor a home can be written to.
    njit = numba.njit

    def without_a_place(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available for file")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", without_a_place)
    assert compile_(lambda x: 2.0 * x)(4.0) == 8.0


def test_another_fault_of_the_compiler_is_not_hidden(monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiled(lambda x: x)
