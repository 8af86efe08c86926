import dataclasses

import numpy as np
import pytest

from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable


def a_table(**changes) -> RatingTable:
    """Users 1 and 3, movies 10 and 20 (20 without ratings), one factor; each side's last row is for unknown ids."""
    table = RatingTable(
        mean=3.0,
        low=0.5,
        high=5.0,
        noise=0.25,
        half_width=1.2,
        users=np.array([1, 3], np.int32),
        movies=np.array([10, 20], np.int32),
        user_bias=np.array([0.5, -0.5, 0.1], np.float32),
        movie_bias=np.array([0.25, 0.0, -0.5], np.float32),
        user_factors=np.array([[2.0], [-1.0], [0.0]], np.float32),
        movie_factors=np.array([[0.5], [1.0], [0.0]], np.float32),
        user_variance=np.array([0.11, -0.09, 0.2], np.float32),
        movie_variance=np.array([0.0, 0.64, 0.75], np.float32),
        user_rated=np.array([True, True, False]),
        movie_rated=np.array([True, False, False]),
        user_choice=np.array([0.3, 0.1, 0.0], np.float32),
        movie_choice=np.array([0.2, 0.0, 0.0], np.float32),
    )
    return dataclasses.replace(table, **changes)


def ids(*values: int):
    return np.array(values, np.int32)


def test_predictions_by_hand():
    found = a_table().predict(ids(1, 3), ids(10, 10))
    np.testing.assert_allclose(found.ratings, [3 + 0.5 + 0.25 + 1.0, 3 - 0.5 + 0.25 - 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.std, [0.6, 0.4], rtol=1e-6)
    np.testing.assert_allclose(found.half_width, [0.72, 0.48], rtol=1e-6)


def test_predictions_stay_within_the_scale():
    assert a_table(mean=5.0).predict(ids(1), ids(10)).ratings.tolist() == [5.0]


def test_a_movie_without_ratings_is_predicted_with_the_users_choice():
    found = a_table(high=9.0).predict(ids(1, 3), ids(20, 20))
    np.testing.assert_allclose(found.ratings, [3 + 0.5 + 2.0 + 0.3, 3 - 0.5 - 1.0 + 0.1], rtol=1e-6)
    assert found.movie_known.tolist() == [False, False]


def test_unknown_ids_are_predicted_and_marked():
    found = a_table().predict(ids(99, 1, 99), ids(10, 99, 99))
    np.testing.assert_allclose(found.ratings, [3 + 0.1 + 0.25 + 0.2, 3 + 0.5 - 0.5 + 0.3, 3 + 0.1 - 0.5], rtol=1e-6)
    assert found.user_known.tolist() == [False, True, False]
    assert found.movie_known.tolist() == [True, False, False]


def test_without_noise_there_is_no_std():
    found = a_table(noise=0.0).predict(ids(1), ids(10))
    assert (found.std, found.half_width) == (None, None)


def test_blocks_of_rows_are_predicted_as_all_at_once():
    u, m = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 0, 2, 0])
    np.testing.assert_array_equal(a_table().expected(u, m, block_rows=2), a_table().expected(u, m))


def test_fold_in_solves_the_posterior():
    table = a_table()
    folded = table.fold_in(ids(10), np.array([5.0], np.float32))
    rows = np.array([[0.5, 2.0], [-0.5, -1.0]])
    centre, prior = rows.mean(axis=0), np.cov(rows, rowvar=False)
    x, usual = np.array([1.0, 0.5]), 0.25 + 0.01
    gain, gap = prior @ x / (x @ prior @ x + usual), 5.0 - 3.0 - 0.25 - x @ centre
    row, posterior = centre + gain * gap, x @ prior @ x - x @ gain * (x @ prior @ x)
    np.testing.assert_allclose([folded.user_bias[0], folded.user_factors[0, 0]], row, rtol=1e-5)
    found = folded.predict(ids(0), ids(10))
    noise = usual * (4.0 + gap**2 / (x @ prior @ x + usual)) / (4.0 + 1.0)
    np.testing.assert_allclose(found.std, [np.sqrt(noise + posterior)], rtol=1e-5)
    assert found.user_known.tolist() == [True]


def test_more_ratings_give_a_narrower_interval():
    given = np.array([4.0] * 9, np.float32)
    widths = [
        a_table().fold_in(np.full(n, 10, np.int32), given[:n]).predict(ids(0), ids(10)).half_width[0] for n in (1, 3, 9)
    ]
    assert widths[0] > widths[1] > widths[2]


def test_a_user_whose_ratings_vary_gets_a_wider_interval():
    movies = np.full(6, 10, np.int32)
    steady, varying = (
        a_table().fold_in(movies, np.array(ratings, np.float32)).predict(ids(0), ids(10)).half_width[0]
        for ratings in ([4, 4, 4, 4, 4, 4], [2, 5, 3, 5, 4, 5])
    )
    assert varying > 1.3 * steady


def test_the_choice_of_a_folded_in_user_is_that_of_unknown_users():
    table = a_table(user_choice=np.array([0.3, 0.1, 0.25], np.float32))
    folded = table.fold_in(ids(10), np.array([4.0], np.float32))
    bare = dataclasses.replace(folded, user_choice=np.zeros(2, np.float32))
    added = folded.predict(ids(0, 7), ids(20, 20)).ratings - bare.predict(ids(0, 7), ids(20, 20)).ratings
    np.testing.assert_allclose(added, [0.25, 0.25], rtol=1e-5)


def test_a_user_who_loves_a_movie_is_predicted_to_like_similar_ones():
    table = a_table()
    loved, hated = (table.fold_in(ids(10), np.array([rating], np.float32)) for rating in (5.0, 1.0))
    assert loved.predict(ids(0), ids(20)).ratings[0] > hated.predict(ids(0), ids(20)).ratings[0] + 0.5


def test_arrays_carry_the_whole_table():
    table = a_table()
    back = RatingTable.from_arrays(table.arrays())
    for field in dataclasses.fields(RatingTable):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(table, field.name))


def test_a_missing_array_is_a_key_error():
    arrays = a_table().arrays()
    del arrays["movie_choice"]
    with pytest.raises(KeyError, match="movie_choice"):
        RatingTable.from_arrays(arrays)
