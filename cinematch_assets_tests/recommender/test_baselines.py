import numpy as np
import pytest

from cinematch_assets.recommender.baselines import bias_only, global_mean, popularity
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings

CATALOGUE = Catalogue.without_titles(np.array([10, 20, 30]))
TRAIN = Ratings.of(np.array([1, 2, 3, 1]), np.array([20, 20, 20, 30]), np.array([2.0, 3.0, 2.0, 5.0]))
USER, MOVIES = np.array([9], np.int32), np.array([10, 20, 30], np.int32)


def test_the_global_mean_is_predicted_for_every_pair() -> None:
    predicted = global_mean(TRAIN, CATALOGUE).predict(np.repeat(np.array([1, 9], np.int32), 3), np.tile(MOVIES, 2))
    assert predicted.ratings.tolist() == [3.0] * 6


def test_popularity_recommends_the_most_rated_and_biases_the_best_rated() -> None:
    orders = [
        model(TRAIN, CATALOGUE).recommend(USER, 3, seen=Pairs.none()).movies.tolist()
        for model in (popularity, bias_only)
    ]
    assert orders == [[20, 30, 10], [30, 10, 20]]


def test_means_are_damped_by_five_average_ratings() -> None:
    movie = popularity(TRAIN, CATALOGUE).predict(USER, np.array([20], np.int32)).ratings[0]
    assert movie == pytest.approx(3 + (2 + 3 + 2 - 9) / (3 + 5))
