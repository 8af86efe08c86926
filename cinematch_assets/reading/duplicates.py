"""Rows that tell of the same thing twice: which one stays.

Here: positions by numpy sorts, since 25M rows are too many for anything else. Not here: what happens to the losers.
"""

import numpy as np
from numpy.typing import NDArray


def outdated(keys: NDArray[np.int64], age: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The positions, ascending, of rows that a later row of the same key replaces.

    Later is a higher ``age`` (a timestamp), and among equals, or without ages, a later position. A copy of the keys
    is sorted first: a file without duplicates costs that and nothing else.
    """
    in_order = np.sort(keys)
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    if not len(repeated):
        return np.empty(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
    suspects = np.flatnonzero(repeated[place] == keys)
    ages = np.zeros(len(suspects), dtype=np.int64) if age is None else age[suspects]
    order = np.lexsort((suspects, ages, keys[suspects]))
    ranked = suspects[order]
    replaced = keys[ranked[1:]] == keys[ranked[:-1]]
    return np.sort(ranked[:-1][replaced])
