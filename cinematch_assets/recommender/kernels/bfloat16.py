"""bfloat16: float32 without its lower half, for kernels whose time goes into reading memory rather than arithmetic.

Here: rounding to it, and reading it inside compiled kernels. Not here: the kernels that do so
(``recommender.rating_prediction.als``, ``recommender.ranking.ease_sparse``). Importing this module loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # ships no types
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats

_DROPPED_BITS = 16


def to_bfloat16(values: Floats) -> NDArray[np.uint16]:
    """Round each finite float32 to the nearest bfloat16, ties to even; the result holds the bits."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(_DROPPED_BITS)) & np.uint32(1)
    return np.asarray((bits + np.uint32(0x7FFF) + odd) >> np.uint32(_DROPPED_BITS), np.uint16)


def _from_bfloat16(_typing: Any, _bits: Any) -> Any:
    """``from_bfloat16(bits)`` in a kernel: the float32 that a bfloat16 stands for, one shift in a vector register."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        shifted = builder.shl(builder.zext(arguments[0], ir.IntType(32)), ir.Constant(ir.IntType(32), _DROPPED_BITS))
        return builder.bitcast(shifted, ir.FloatType())

    return types.float32(types.uint16), generate


from_bfloat16 = intrinsic(_from_bfloat16)
