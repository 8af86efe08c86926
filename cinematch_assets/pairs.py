"""One number for each pair of ids, so that pairs can be sorted and looked up as numbers.

Here: the key. Not here: what is done with it (``reading.duplicates``, ``splitting``, ``recommender.splits``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pair_keys(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int64]:
    """Return ``first`` · 2³² + ``second`` as int64, in the shape both broadcast to; equal where both are equal.

    Ids are 32-bit integers of any dtype, and are widened before they are shifted: int32 would overflow. The keys of
    all int32 pairs differ, −1 for "no movie" included, and order as (first, second) does.
    """
    high = first.astype(np.int64)
    high <<= 32
    if high.shape != np.broadcast_shapes(first.shape, second.shape):
        return np.asarray(high + second, np.int64)
    high += second  # in place: 25M rows are 200 MB
    return high
