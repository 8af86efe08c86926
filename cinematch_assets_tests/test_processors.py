"""Numeric tests pass on other processors too: under other BLAS kernels, and with code compiled for any x86-64.

Matrix products and compiled kernels round differently on another processor, and differently for another shape. A test
that claims equal floats where these differ passes on one machine only.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cinematch_assets.recommender.environment import computed_by

TESTS = Path(__file__).parent
NUMERIC = ("recommender", "drift", "features", "test_promotion.py")
QUICK = (
    "drift/test_null_distribution.py::test_baseline_users_without_ratings_change_nothing",
    "features/test_genres.py",
    "recommender/rating_prediction/test_rating_table.py",
)
KERNELS = ("Haswell", "SkylakeX", "Zen", "Prescott")
TIMEOUT_S = 1_800
PRODUCT = """
import numpy as np, scipy.linalg
from cinematch_assets.recommender.environment import computed_by
for kind in (np.float32, np.float64):
    a = np.ones((70, 50), kind)
    scipy.linalg.cho_factor(a.T @ a + np.eye(50, dtype=kind))
print(sorted({blas["kernel"] for blas in computed_by()["blas"]}))
"""


def environment(**variables: str) -> dict[str, str]:
    """The tests' own environment without what chooses kernels or belongs to the pytest that is running."""
    chosen = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
    kept = {name: value for name, value in os.environ.items() if name not in chosen and not name.startswith("PYTEST_")}
    return kept | variables


def kernel_that_runs(coretype: str) -> str | None:
    """The kernel that OpenBLAS takes for ``coretype``; None where this processor cannot run it."""
    command = [sys.executable, "-c", PRODUCT]
    done = subprocess.run(
        command, env=environment(OPENBLAS_CORETYPE=coretype), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def run_tests(names: tuple[str, ...], **variables: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(str(TESTS / name) for name in names)],
        cwd=TESTS.parent,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]


def test_a_quick_part_passes_under_another_kernel_than_that_of_this_machine() -> None:
    here = str(sorted({blas["kernel"] for blas in computed_by()["blas"]}))
    for coretype in ("Prescott", "Haswell", "Nehalem"):
        if kernel_that_runs(coretype) not in {None, here}:
            run_tests(QUICK, OPENBLAS_CORETYPE=coretype)
            return
    pytest.skip(f"BLAS has no other kernel here than {here}")


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("coretype", KERNELS)
def test_numeric_tests_pass_under_each_kernel(coretype: str) -> None:
    if kernel_that_runs(coretype) is None:
        pytest.skip(f"this processor does not run OpenBLAS' kernel for {coretype}")
    run_tests(NUMERIC, OPENBLAS_CORETYPE=coretype)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S)
def test_numeric_tests_pass_with_code_compiled_for_any_processor() -> None:
    run_tests(NUMERIC, NUMBA_CPU_NAME="generic")
