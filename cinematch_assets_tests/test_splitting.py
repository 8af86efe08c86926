import numpy as np
import pandas as pd
import pytest

from cinematch_assets.splitting import is_test, is_test_by_hash, is_test_by_time

RANDOM = np.random.default_rng(7)
USERS = RANDOM.integers(1, 50_000, 40_000).astype(np.int32)
MOVIES = RANDOM.integers(1, 9_000, 40_000).astype(np.int32)


def test_three_tenths_are_test_rows() -> None:
    assert is_test_by_hash(USERS, MOVIES).mean() == pytest.approx(0.3, abs=0.01)


def test_a_pair_gets_the_same_answer_wherever_it_stands() -> None:
    whole = is_test_by_hash(USERS, MOVIES)
    order = RANDOM.permutation(len(USERS))
    assert (is_test_by_hash(USERS[order], MOVIES[order]) == whole[order]).all()
    assert (is_test_by_hash(USERS[:1], MOVIES[:1]) == whole[:1]).all()


def test_the_rule_is_the_one_that_stored_rows_were_split_by() -> None:
    users, movies = np.arange(1, 13, dtype=np.int32), np.arange(101, 113, dtype=np.int32)
    assert users[is_test_by_hash(users, movies)].tolist() == [2, 7, 12]


def test_user_and_movie_are_not_exchangeable() -> None:
    assert (is_test_by_hash(USERS, MOVIES) != is_test_by_hash(MOVIES, USERS)).mean() > 0.3


def test_by_time_the_newest_are_test_rows() -> None:
    timestamps = np.arange(1_000, 2_000)
    assert is_test_by_time(timestamps).tolist() == [False] * 700 + [True] * 300


def test_by_time_rows_of_the_cut_s_own_second_stay_together() -> None:
    assert is_test_by_time(np.array([1, 5, 5, 5, 5, 9])).tolist() == [False] * 5 + [True]
    assert is_test_by_time(np.array([], np.int64)).tolist() == []


def test_a_frame_is_split_as_the_setting_says() -> None:
    frame = pd.DataFrame({"userId": USERS, "movieId": MOVIES, "timestamp": np.arange(len(USERS))})
    assert (is_test(frame, "hash") == is_test_by_hash(USERS, MOVIES)).all()
    assert is_test(frame, "temporal").tolist() == sorted(is_test(frame, "temporal").tolist())
