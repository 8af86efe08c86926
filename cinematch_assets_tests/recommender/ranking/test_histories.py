import numpy as np
import pytest

from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.ranking.histories import UserHistories, rating_weights, user_weights

TRAIN = Ratings.of(np.array([7, 7, 9]), np.array([20, 10, 20]), np.array([5.0, 3.0, 1.0]))
MOVIES = np.array([10, 20, 30], np.int32)


def test_a_rating_weighs_more_the_higher_it_is_and_never_nothing() -> None:
    assert rating_weights(np.array([0.5, 1.0, 3.0, 5.0])).tolist() == [0.0625, 0.0625, 0.5, 1.0]


def test_weights_are_a_row_for_each_user_and_a_column_for_each_movie() -> None:
    histories = UserHistories.of(TRAIN, MOVIES)
    assert histories.users.tolist() == [7, 9]
    assert histories.weights().toarray().tolist() == [[0.5, 1.0, 0.0], [0.0, 0.0625, 0.0]]


def test_weights_of_users_come_in_the_order_asked_and_are_zero_for_unknown_users() -> None:
    histories = UserHistories.of(TRAIN, MOVIES)
    rows = histories.weights_of(np.array([9, 8, 7], np.int32)).toarray()
    assert rows.tolist() == [[0.0, 0.0625, 0.0], [0.0, 0.0, 0.0], [0.5, 1.0, 0.0]]


def test_users_whose_movies_are_all_left_out_have_an_empty_history() -> None:
    histories = UserHistories.of(TRAIN, np.array([10], np.int32))
    assert histories.weights().toarray().tolist() == [[0.5], [0.0]]


def test_without_any_user_every_history_is_empty() -> None:
    histories = UserHistories.of(TRAIN.where(np.zeros(3, np.bool_)), MOVIES)
    assert histories.weights_of(np.array([7], np.int32)).nnz == 0


def test_arrays_restore_the_histories() -> None:
    histories = UserHistories.of(TRAIN, MOVIES)
    restored = UserHistories.from_arrays(histories.arrays())
    assert {name: array.tobytes() for name, array in restored.arrays().items()} == {
        name: array.tobytes() for name, array in histories.arrays().items()
    }


@pytest.mark.parametrize(("exponent", "expected"), [(0.0, [1.0, 1.0]), (1.0, [0.75, 1.5])])
def test_users_weigh_a_power_of_their_share_of_ratings(exponent: float, expected: list[float]) -> None:
    assert user_weights(UserHistories.of(TRAIN, MOVIES).weights(), exponent).tolist() == expected
