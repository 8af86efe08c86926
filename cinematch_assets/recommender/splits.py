"""Parts of a set of ratings: at random, whole users or movies, by time.

Here: pure splits. Not here: ``data_split`` of the tables, which is a hash in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Ratings, RecommenderInputError, UserMoviePairs


class LeakError(RecommenderInputError):
    """Something that is measured on could be learned from; figures on such a split say nothing."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is learned from and what is measured on."""

    train: Ratings
    test: Ratings


def random_split(ratings: Ratings, test_share: float, seed: int) -> Split:
    """A random part of the rows as the test set; the same for the same rows, whatever their order was."""
    test = np.zeros(len(ratings), np.bool_)
    test[np.random.default_rng(seed).permutation(len(ratings))[: round(test_share * len(ratings))]] = True
    return Split(ratings.where(~test), ratings.where(test))


def temporal_split(ratings: Ratings, test_share: float = 0.3) -> Split:
    """The newest part of the rows as the test set: every training row is older than every test row.

    Raises:
        RecommenderInputError: all rows have one time, so there is no before and after.
    """
    cut = _cut(ratings, 1.0 - test_share)
    return Split(ratings.where(ratings.timestamps < cut), ratings.where(ratings.timestamps >= cut))


def walk_through_time(ratings: Ratings, slices: int = 4, first_share: float = 0.5) -> Iterator[Split]:
    """Train on all before, test on the next slice, and on: ``slices`` splits after the oldest ``first_share``.

    Raises:
        RecommenderInputError: the rows have too few different times for that many slices.
    """
    cuts = [_cut(ratings, share) for share in np.linspace(first_share, 1.0, slices + 1)[:-1]]
    if len(set(cuts)) < slices:
        raise RecommenderInputError(f"the ratings have too few different times for {slices} slices")
    ends = [*cuts[1:], int(ratings.timestamps.max()) + 1]
    for cut, end in zip(cuts, ends, strict=True):
        inside = (ratings.timestamps >= cut) & (ratings.timestamps < end)
        yield Split(ratings.where(ratings.timestamps < cut), ratings.where(inside))


def refuse_leaks(split: Split, *, temporal: bool) -> None:
    """Make sure that nothing of the test set can be learned from.

    Raises:
        LeakError: a (user, movie) pair is on both sides, or with ``temporal`` a training row is not older than each
            test row.
    """
    shared = np.isin(_keys(split.test), _keys(split.train))
    if shared.any():
        first = int(np.flatnonzero(shared)[0])
        pair = f"user {split.test.users[first]}, movie {split.test.movies[first]}"
        raise LeakError(f"{int(shared.sum()):,} test ratings have their (user, movie) in training too, first {pair}")
    if temporal and len(split.train) and len(split.test):
        late = int((split.train.timestamps >= split.test.timestamps.min()).sum())
        if late:
            raise LeakError(f"{late:,} training ratings are not older than the first test rating")


def _keys(pairs: UserMoviePairs) -> NDArray[np.int64]:
    """One number per (user, movie)."""
    return np.asarray((pairs.users.astype(np.int64) << 32) | pairs.movies.astype(np.int64), np.int64)


def _cut(ratings: Ratings, share: float) -> int:
    """The time before which about ``share`` of the rows lie, with rows on both sides."""
    times = np.sort(ratings.timestamps)
    if len(times) == 0 or times[0] == times[-1]:
        raise RecommenderInputError("all ratings have one timestamp, so they cannot be split by time")
    cut = int(times[min(int(share * len(times)), len(times) - 1)])
    return cut if cut > times[0] else int(times[times > times[0]][0])
