"""Parts of a set of ratings: at random, whole users or movies, by time.

Here: pure splits. Not here: the hash behind the tables' column data_split (``splitting``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cinematch_assets.pairs import pair_keys
from cinematch_assets.recommender.data import Ratings, RecommenderInputError


class LeakError(RecommenderInputError):
    """A test row is in the training rows too, or is not newer than they are; figures on such a split mean nothing."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to fit on and rows to measure on."""

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
    """Rolling-origin splits: train on all before a slice, test on it; ``slices`` of them after ``first_share``.

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
    """Refuse a split whose training rows hold anything of its test rows.

    Raises:
        LeakError: a (user, movie) pair is on both sides, or with ``temporal`` a training row is not older than each
            test row.
    """
    test, train = split.test, split.train
    shared = np.isin(pair_keys(test.users, test.movies), pair_keys(train.users, train.movies))
    if shared.any():
        first = int(np.flatnonzero(shared)[0])
        pair = f"user {test.users[first]}, movie {test.movies[first]}"
        raise LeakError(f"{int(shared.sum()):,} test ratings have their (user, movie) in training too, first {pair}")
    if temporal and len(train) and len(test):
        late = int((train.timestamps >= test.timestamps.min()).sum())
        if late:
            raise LeakError(f"{late:,} training ratings are not older than the first test rating")


def _cut(ratings: Ratings, share: float) -> int:
    """The time before which about ``share`` of the rows lie, with rows on both sides."""
    times = np.sort(ratings.timestamps)
    if len(times) == 0 or times[0] == times[-1]:
        raise RecommenderInputError("all ratings have one timestamp, so they cannot be split by time")
    cut = int(times[min(int(share * len(times)), len(times) - 1)])
    return cut if cut > times[0] else int(times[times > times[0]][0])
