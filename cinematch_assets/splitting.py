"""Decide which ratings are train and which are test.

Here: the rules. A hash of (userId, movieId) gives the same split for any order of rows, file or day; a cut in time is
the option for testing on the newest ratings. Not here: storing the split (``warehouse.ratings``), splits for
evaluating a model (``recommender.splits``).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys

TEST_SHARE = 0.3


def is_test_by_hash(
    users: NDArray[np.int32], movies: NDArray[np.int32], share: float = TEST_SHARE
) -> NDArray[np.bool_]:
    """Return which pairs are test rows, shape (n,).

    The pair as one 64-bit number goes through SplitMix64's finalizer (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", OOPSLA 2014), whose output is uniform; the lowest ``share`` of its range is test.
    """
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
        pair = pair_keys(users, movies).view(np.uint64)
        mixed = pair + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed < np.uint64(int(share * 2**64)))


def is_test_by_time(timestamps: NDArray[np.int64], share: float = TEST_SHARE) -> NDArray[np.bool_]:
    """Return which rows are newer than the cut, shape (n,); rows of the cut's own second are train."""
    if len(timestamps) == 0:
        return np.zeros(0, np.bool_)
    cut = np.quantile(timestamps, 1 - share, method="inverted_cdf")
    return np.asarray(timestamps > cut)


def is_test(ratings: pd.DataFrame, split: str) -> NDArray[np.bool_]:
    """Return which rows of a ratings frame are test rows under ``split``, ``hash`` or ``temporal``."""
    if split == "temporal":
        return is_test_by_time(ratings["timestamp"].to_numpy(np.int64))
    return is_test_by_hash(ratings["userId"].to_numpy(np.int32), ratings["movieId"].to_numpy(np.int32))
