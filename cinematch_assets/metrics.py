"""How far predictions are off, in one number.

Here: RMSE and MAE of errors. Not here: rankings (``recommender.evaluation``), intervals of a difference
(``promotion``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rmse(errors: NDArray[Any]) -> float:
    """Return the root mean square of ``errors`` (n,), n > 0; the same for the same errors in any order."""
    return float(np.sqrt(np.mean(round_to_sum(np.square(errors, dtype=np.float64)))))


def mae(errors: NDArray[Any]) -> float:
    """Return the mean absolute value of ``errors`` (n,), n > 0; the same for the same errors in any order."""
    return float(np.mean(round_to_sum(np.abs(errors, dtype=np.float64))))


def round_to_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``values`` (n,) rounded so that any sum of some of them is exact, and therefore the same in any order.

    They become multiples of the lowest power of two with which 53 bits hold n times the largest: what additions would
    round is rounded before them (Demmel and Nguyen, "Fast reproducible floating-point summation", ARITH 2013). None
    changes by more than n · max |x| · 2⁻⁵². Where one is not finite, they are returned as they are.
    """
    bound = len(values) * float(np.max(np.abs(values), initial=0.0))
    step = np.ldexp(1.0, int(np.frexp(bound)[1]) - 52)
    if not 0.0 < bound < np.inf or step == 0.0:
        return values
    rounded: NDArray[np.float64] = values / step
    np.rint(rounded, out=rounded)
    rounded *= step
    return rounded
