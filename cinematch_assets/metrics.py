"""How far predictions are off, in one number.

Here: RMSE and MAE of errors. Not here: rankings (``recommender.evaluation``), intervals of a difference
(``promotion``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rmse(errors: NDArray[Any]) -> float:
    """Return the root mean square of ``errors`` (n,), n > 0; the same for the same errors in any order."""
    return float(np.sqrt(np.mean(np.sort(np.square(errors, dtype=np.float64)))))


def mae(errors: NDArray[Any]) -> float:
    """Return the mean absolute value of ``errors`` (n,), n > 0; the same for the same errors in any order."""
    return float(np.mean(np.sort(np.abs(errors, dtype=np.float64))))
