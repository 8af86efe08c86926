"""Numba's compiler, with a cache that works wherever the package is installed.

Here: the decorators of compiled kernels. Not here: the kernels (``topn``, ``recommender.rating_prediction.gibbs``).
Importing this module loads numba, so that modules which use it are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Compile; sums may be regrouped for vector units, in the same way in every run on one kind of processor.

    The kernel must not meet infinities or NaN.
    """
    return _cached(kernel, fastmath=True)


def compiled_in_order(kernel: Kernel) -> Kernel:
    """Compile; sums are added in the order that is written, and infinities and NaN follow IEEE 754."""
    return _cached(kernel, fastmath=False)


def _cached(kernel: Kernel, *, fastmath: bool) -> Kernel:
    """Compile on first call, release the GIL, and cache the code beside the module or in the user's cache folder.

    Numba raises when it can write to neither (a read-only image without a home); then each process compiles anew.
    """
    options = {"nogil": True, "fastmath": fastmath}
    try:
        return cast("Kernel", numba.njit(cache=True, **options)(kernel))
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return cast("Kernel", numba.njit(**options)(kernel))
