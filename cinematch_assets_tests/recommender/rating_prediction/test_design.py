import numpy as np

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.rating_prediction.design import build_design, describe_movies

TRAIN = Ratings.of(
    np.array([1, 1, 2, 3]), np.array([10, 20, 10, 20]), np.array([5.0, 2.0, 4.0, 3.0]), np.array([1, 2, 50, 99])
)
CATALOGUE = Catalogue.of(
    np.array([10, 20, 30]),
    ["A (1994)", "B", "C (1995)"],
    ["Drama|War", "", "War"],
    np.array([[2.0] * 10, [np.nan] * 10, [0.0] * 10]),
)
MOVIES = np.array([10, 20, 30], np.int32)
DESIGN = build_design(TRAIN, np.array([1, 2, 3], np.int32), MOVIES, CATALOGUE)


def test_both_sides_hold_the_same_rows():
    assert DESIGN.users.pointers.tolist() == [0, 2, 3, 4, 4]
    assert DESIGN.users.others.tolist() == [0, 1, 0, 1]
    assert DESIGN.movies.pointers.tolist() == [0, 2, 4, 4, 4]
    assert DESIGN.movies.others.tolist() == [0, 1, 0, 2]


def test_mirrors_map_one_order_to_the_other():
    # Rows by movie are (10, 1), (10, 2), (20, 1), (20, 3): rows 0, 2, 1, 3 by user.
    assert DESIGN.users.mirror.tolist() == [0, 2, 1, 3]
    np.testing.assert_array_equal(DESIGN.movies.mirror[DESIGN.users.mirror], np.arange(4))


def test_scales_are_one_over_the_root_of_the_neighbours_and_zero_for_unknown_ids():
    np.testing.assert_allclose(DESIGN.users.scale, [1, 1, 1, 0])
    np.testing.assert_allclose(DESIGN.movies.scale, [1, 1, 0, 0])


def test_movies_are_described_by_genres_features_and_years():
    genres, components, years = describe_movies(MOVIES, CATALOGUE)
    np.testing.assert_allclose(genres, [[2**-0.5, 2**-0.5], [0, 0], [0, 1], [0, 0]])
    assert components.shape == (4, 10)
    np.testing.assert_allclose(components[1:], 0)
    assert (components[0] > 0).all()
    np.testing.assert_allclose(years, [[1, 0], [0, 0], [0, 1], [0, 0]])


def test_there_are_no_eras_when_all_ratings_have_one_time():
    one_time = Ratings.of(TRAIN.users, TRAIN.movies, TRAIN.ratings)
    design = build_design(one_time, np.array([1, 2, 3], np.int32), MOVIES, CATALOGUE)
    assert design.users.columns.groups.tolist() == [0]
    assert DESIGN.users.columns.groups.tolist() == [0, 10]


def test_each_user_with_ratings_has_one_era():
    columns = DESIGN.users.columns
    assert sorted(columns.entities.tolist()) == [0, 1, 2]
    assert set(columns.values.tolist()) == {1.0}
