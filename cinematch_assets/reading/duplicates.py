"""Find rows that a later row of the same key replaces.

Here: positions by numpy sorts, fast enough for 25M rows. Not here: keys of two ids (``pairs``), rejecting the rows
(``table_file``).
"""

import numpy as np
from numpy.typing import NDArray


def find_replaced(keys: NDArray[np.int64], time: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the positions, ascending, of rows that a later row of the same key replaces.

    Later means a higher ``time``; for equal times, or without times, a later position. Keys that occur twice are found
    by sorting a copy first, so a file without duplicates costs no more than that sort.
    """
    in_order = np.sort(keys)
    repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    if not len(repeated):
        return np.empty(0, dtype=np.int64)
    slot = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
    candidates = np.flatnonzero(repeated[slot] == keys)
    times = np.zeros(len(candidates), dtype=np.int64) if time is None else time[candidates]
    order = np.lexsort((candidates, times, keys[candidates]))
    by_age = candidates[order]
    is_replaced = keys[by_age[1:]] == keys[by_age[:-1]]
    return np.sort(by_age[:-1][is_replaced])
