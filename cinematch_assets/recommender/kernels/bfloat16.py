"""bfloat16: float32 without its lower half, for loops that wait for memory more than for arithmetic.

Here: rounding to it, and reading it inside compiled loops. Not here: the loops. Importing this loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # ships no types
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats

_BITS = 16


def narrow(values: Floats) -> NDArray[np.uint16]:
    """Each finite float32 rounded to the nearest bfloat16, ties to even; the bits of it."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(_BITS)) & np.uint32(1)
    return np.asarray((bits + np.uint32(0x7FFF) + odd) >> np.uint32(_BITS), np.uint16)


def _wide(_typing: Any, _bits: Any) -> Any:
    """``wide(bits)``: the float32 that a bfloat16 stands for, one shift in a vector register."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        whole = builder.shl(builder.zext(arguments[0], ir.IntType(32)), ir.Constant(ir.IntType(32), _BITS))
        return builder.bitcast(whole, ir.FloatType())

    return types.float32(types.uint16), code


wide = intrinsic(_wide)
