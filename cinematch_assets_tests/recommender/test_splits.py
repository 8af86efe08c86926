import itertools

import numpy as np
import pytest

from cinematch_assets.recommender.data import Ratings, RecommenderInputError
from cinematch_assets.recommender.splits import (
    LeakError,
    Split,
    random_split,
    refuse_leaks,
    temporal_split,
    walk_through_time,
)
from cinematch_assets_tests.support.worlds import make_world


def keys(ratings: Ratings) -> set[tuple[int, int]]:
    return set(zip(ratings.users.tolist(), ratings.movies.tolist(), strict=True))


def test_a_random_split_is_complete_and_repeatable():
    ratings = make_world().ratings
    first, second = random_split(ratings, 0.3, 5), random_split(ratings, 0.3, 5)
    assert keys(first.test) == keys(second.test)
    assert len(first.train) + len(first.test) == len(ratings)
    assert abs(len(first.test) / len(ratings) - 0.3) < 0.001
    refuse_leaks(first, temporal=False)


def test_a_temporal_split_tests_on_the_newest():
    split = temporal_split(make_world().ratings, 0.25)
    assert split.train.timestamps.max() < split.test.timestamps.min()
    assert abs(len(split.test) / (len(split.train) + len(split.test)) - 0.25) < 0.01


def test_a_rolling_split_never_looks_ahead_and_misses_nothing():
    ratings = make_world().ratings
    splits = list(walk_through_time(ratings, 4))
    assert len(splits) == 4
    for split in splits:
        refuse_leaks(split, temporal=True)
    for before, after in itertools.pairwise(splits):
        assert len(after.train) == len(before.train) + len(before.test)
    assert len(splits[-1].train) + len(splits[-1].test) == len(ratings)


def test_ratings_of_one_second_cannot_be_split_by_time():
    ratings = Ratings.of(np.arange(4), np.arange(4), np.ones(4))
    with pytest.raises(RecommenderInputError, match="one timestamp"):
        temporal_split(ratings)


def test_too_few_times_for_the_slices_are_refused():
    ratings = Ratings.of(np.arange(4), np.arange(4), np.ones(4), np.array([1, 1, 2, 2]))
    with pytest.raises(RecommenderInputError, match="too few different times for 4 slices"):
        list(walk_through_time(ratings, 4))


def test_a_planted_future_row_is_found():
    split = temporal_split(make_world().ratings)
    late = Ratings.of(np.array([999]), np.array([10]), np.array([5.0]), split.test.timestamps[-1:])
    names = ("users", "movies", "ratings", "timestamps")
    planted = Ratings.of(*(np.append(getattr(split.train, name), getattr(late, name)) for name in names))
    with pytest.raises(LeakError, match="1 training ratings are not older"):
        refuse_leaks(Split(planted, split.test), temporal=True)


def test_a_test_pair_in_training_is_found():
    split = random_split(make_world().ratings, 0.3, 1)
    with pytest.raises(LeakError, match="1 test ratings have their"):
        refuse_leaks(
            Split(
                split.train,
                Ratings.of(
                    *(
                        np.append(getattr(split.test, n), getattr(split.train, n)[0])
                        for n in ("users", "movies", "ratings")
                    )
                ),
            ),
            temporal=False,
        )
