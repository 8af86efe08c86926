import numpy as np
import pytest

from cinematch_assets.recommender.config import BiasConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.rating_prediction.bias import fit_bias

TRAIN = Ratings.of(np.array([1, 1, 2]), np.array([10, 20, 10]), np.array([5.0, 2.0, 5.0]))


def test_biases_by_hand():
    table = fit_bias(
        TRAIN, Catalogue.without_titles(np.array([10, 20, 30])), BiasConfig(user_damping=1.0, movie_damping=2.0)
    )
    # μ = 4; movies 2 / (2 + 2) and −2 / (1 + 2); users on the residuals: (1/2 − 4/3) / 3 and (1/2) / 2.
    assert table.mean == 4.0
    np.testing.assert_allclose(table.movie_bias, [0.5, -2 / 3, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(table.user_bias, [(0.5 - 4 / 3) / 3, 0.25, 0.0], rtol=1e-6)


def test_infinite_damping_leaves_the_mean():
    table = fit_bias(
        TRAIN, Catalogue.without_titles(TRAIN.movies), BiasConfig(user_damping=np.inf, movie_damping=np.inf)
    )
    assert table.predict(np.array([1], np.int32), np.array([20], np.int32)).ratings[0] == pytest.approx(4.0)


def test_a_movie_of_the_catalogue_without_ratings_has_an_unrated_row():
    table = fit_bias(TRAIN, Catalogue.without_titles(np.array([30])), BiasConfig())
    assert table.movies.tolist() == [10, 20, 30]
    assert table.movie_rated.tolist() == [True, True, False, False]
