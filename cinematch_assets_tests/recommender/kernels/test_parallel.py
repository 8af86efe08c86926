import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from cinematch_assets.recommender.kernels.parallel import (
    MAX_BLOCKS,
    balanced_blocks,
    run_blocks,
    thread_count,
    use_threads,
)


def starts_of(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def test_all_processors_are_used_unless_a_number_is_chosen() -> None:
    assert 1 <= thread_count() <= (os.cpu_count() or 1)
    with use_threads(7):
        assert thread_count() == 7
    assert thread_count() <= (os.cpu_count() or 1)


def test_every_block_is_run_once_with_blas_on_one_thread() -> None:
    blas: list[int] = []
    done: list[int] = []

    def work(block: int) -> None:
        blas.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        done.append(block)

    with use_threads(3):
        run_blocks(work, range(0, 20, 5))
    assert sorted(done) == [0, 5, 10, 15]
    assert set(blas) <= {1}


def test_a_library_that_is_loaded_after_the_first_use_is_on_one_thread_too() -> None:
    code = """
from cinematch_assets.recommender.kernels.parallel import one_blas_thread
with one_blas_thread():
    pass
import scipy.linalg, threadpoolctl
with one_blas_thread():
    print(*{each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"})
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_an_error_in_one_block_is_raised() -> None:
    def fail(block: int) -> None:
        raise ValueError(f"block {block}")

    with pytest.raises(ValueError, match="block 0"):
        run_blocks(fail, range(0, 10, 5))


def test_balanced_blocks_cover_all_rows_and_share_the_work() -> None:
    lengths = np.random.default_rng(0).pareto(1.0, 20_000).astype(np.int64)
    bounds = balanced_blocks(starts_of(lengths))
    assert (bounds[0], bounds[-1]) == (0, 20_000)
    assert (np.diff(bounds) > 0).all()
    work = np.add.reduceat(lengths + 16, bounds[:-1])
    assert np.median(work) == pytest.approx(work.sum() / MAX_BLOCKS, rel=0.1)


@pytest.mark.parametrize("rows", [0, 1, 15])
def test_few_rows_are_one_block(rows: int) -> None:
    assert len(balanced_blocks(starts_of(np.ones(rows, np.int64)))) <= 2
