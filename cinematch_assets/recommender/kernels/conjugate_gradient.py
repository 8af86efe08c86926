"""Conjugate gradient with a diagonal preconditioner, a step at a time, for loops that know how to multiply.

Here: what every system has in common (Shewchuk 1994, B3). Not here: the systems (``als``, ``likings``), which
make ``image``, the product of their matrix with ``step``. All vectors are (n,) float32. Importing this loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.kernels.compiled import compiled

LEAST_GAIN = np.float32(1e-12)
"""Below it a row is solved."""


@compiled
def begin(left: NDArray[Any], scale: NDArray[Any], step: NDArray[Any]) -> Any:  # pragma: no cover - compiled
    """The first ``step`` from what is ``left`` of the right side, and its gain."""
    gain = np.float32(0.0)
    for f in range(len(step)):
        step[f] = left[f] / scale[f]
        gain += left[f] * step[f]
    return gain


@compiled
def advance(  # pragma: no cover - compiled
    gain: Any, image: NDArray[Any], scale: NDArray[Any], x: NDArray[Any], left: NDArray[Any], step: NDArray[Any]
) -> Any:
    """Go along ``step``, whose image is known, and make the next one; its gain."""
    curve = np.float32(0.0)
    for f in range(len(x)):
        curve += step[f] * image[f]
    length = gain / curve
    after = np.float32(0.0)
    for f in range(len(x)):
        x[f] += length * step[f]
        left[f] -= length * image[f]
        after += left[f] * left[f] / scale[f]
    ratio = after / gain
    for f in range(len(x)):
        step[f] = left[f] / scale[f] + ratio * step[f]
    return after
