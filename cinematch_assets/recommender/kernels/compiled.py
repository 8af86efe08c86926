"""Numba, with a cache that works wherever the package is installed.

Here: the decorators of compiled loops. Not here: the loops. Importing this imports numba, so modules that use it are
imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """Machine code where sums may be regrouped for vector units: in the same way in every run on one kind of processor.

    Neither infinities nor NaN may occur in such a loop.
    """
    return _cached(loop, fastmath=True)


def compiled_in_order(loop: Loop) -> Loop:
    """Machine code that adds up in the order that is written, and in which infinities are what they should be."""
    return _cached(loop, fastmath=False)


def _cached(loop: Loop, *, fastmath: bool) -> Loop:
    """Compile on first call, release the GIL, and keep the code beside the module or in the user's cache folder.

    Numba raises when it may write to neither (a read-only image without a home); then each process compiles anew.
    """
    options = {"nogil": True, "fastmath": fastmath}
    try:
        return cast("Loop", numba.njit(cache=True, **options)(loop))
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return cast("Loop", numba.njit(**options)(loop))
