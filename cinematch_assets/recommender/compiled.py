"""Numba, with a cache that works wherever the package is installed.

Here: the one decorator of compiled loops. Not here: the loops. Importing this imports numba, so modules that use it are
imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """Compile on first call, release the GIL, and keep the machine code beside the module or in the user's cache folder.

    Numba raises when it may write to neither (a read-only image without a home); then each process compiles anew.
    ``fastmath`` lets sums be reordered for vector units: the order is the same in every run on one kind of processor.
    """
    options = {"nogil": True, "fastmath": True}
    try:
        return cast("Loop", numba.njit(cache=True, **options)(loop))
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return cast("Loop", numba.njit(**options)(loop))
