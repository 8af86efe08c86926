import numpy as np
import pytest

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.rating_prediction.bias import fit_biases

TRAIN = Ratings.of(np.array([1, 1, 2]), np.array([10, 20, 10]), np.array([5.0, 2.0, 5.0]))


def test_biases_by_hand():
    table = fit_biases(TRAIN, Catalogue.without_titles(np.array([10, 20, 30])), user_damping=1.0, movie_damping=2.0)
    # μ = 4; movies 2 / (2 + 2) and −2 / (1 + 2); users on what is left: (1/2 − 4/3) / 3 and (1/2) / 2.
    assert table.mean == 4.0
    np.testing.assert_allclose(table.movie_bias, [0.5, -2 / 3, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(table.user_bias, [(0.5 - 4 / 3) / 3, 0.25, 0.0], rtol=1e-6)


def test_endless_damping_leaves_the_mean():
    table = fit_biases(TRAIN, Catalogue.without_titles(TRAIN.movies), user_damping=np.inf, movie_damping=np.inf)
    assert table.predict(np.array([1], np.int32), np.array([20], np.int32)).ratings[0] == pytest.approx(4.0)


def test_a_film_that_only_the_catalogue_knows_is_unrated():
    table = fit_biases(TRAIN, Catalogue.without_titles(np.array([30])), user_damping=1.0, movie_damping=1.0)
    assert table.movies.tolist() == [10, 20, 30]
    assert table.movie_rated.tolist() == [True, True, False, False]
