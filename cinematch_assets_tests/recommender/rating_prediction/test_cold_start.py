import dataclasses

import numpy as np
import pytest

from cinematch_assets.recommender.config import AlsConfig, BiasConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table
from cinematch_assets.recommender.rating_prediction.bayesian_fm import fit_bayesian_fm
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.cold_start import _describe, add_cold_start
from cinematch_assets_tests.support.worlds import make_world, rmse

WORLD = make_world(users=150, movies=100)
CONFIG = RecommenderConfig(factors=3, chains=2, sweeps=40, burn_in=15, rank=8)


def mean_by(ids, ratings):
    return np.bincount(ids, ratings) / np.maximum(np.bincount(ids), 1)


def test_movies_without_ratings_are_predicted_better_than_by_the_user_mean():
    rows, movies = WORLD.ratings, WORLD.catalogue.movies
    held_out = np.isin(rows.movies, np.random.default_rng(1).choice(movies, 20, replace=False))
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.movie_known.any()
    assert rmse(found.ratings, test.ratings) < 0.95 * rmse(
        mean_by(train.users, train.ratings)[test.users], test.ratings
    )


def test_users_without_ratings_are_predicted_no_worse_than_by_the_movie_mean():
    rows = WORLD.ratings
    held_out = rows.users % 6 == 0
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.user_known.any()
    assert rmse(found.ratings, test.ratings) < 1.005 * rmse(
        mean_by(train.movies, train.ratings)[test.movies], test.ratings
    )


def test_a_new_movie_is_predicted_from_its_genre():
    movies = WORLD.catalogue
    more = Catalogue.of(
        np.append(movies.movies, [3, 4]),
        [*movies.titles, "Loved (2001)", "Hated (2001)"],
        [*movies.genres, "Action", "Horror"],
    )
    for method in ("bayesian_fm", "als"):
        config = RecommenderConfig(method=method, factors=3, chains=2, sweeps=30, burn_in=10, als=AlsConfig(factors=4))
        model = fit_recommender(WORLD.ratings, more, config=config, seed=1)
        users = np.unique(WORLD.ratings.users)
        loved, hated = (model.predict(users, np.full(len(users), movie, np.int32)).ratings for movie in (3, 4))
        assert loved.mean() > hated.mean() + 0.4


def test_pca_features_can_replace_genres():
    movies = WORLD.catalogue
    one_hot = np.zeros((len(movies) + 2, 10), np.float32)
    names = sorted(set(movies.genres))
    for row, genre in enumerate([*movies.genres, "Action", "Horror"]):
        one_hot[row, names.index(genre)] = 1.0
    unnamed = Catalogue.of(np.append(movies.movies, [3, 4]), ["x"] * len(one_hot), [""] * len(one_hot), one_hot)
    model = fit_recommender(WORLD.ratings, unnamed, config=CONFIG, seed=1)
    users = np.unique(WORLD.ratings.users)
    loved, hated = (model.predict(users, np.full(len(users), movie, np.int32)).ratings for movie in (3, 4))
    assert loved.mean() > hated.mean() + 0.4


def fit_biases_with_cold_start(ratings, movies):
    table = fit_bias(ratings, movies, BiasConfig())
    return add_cold_start(table, ratings, movies)


def ratings_of(frame):
    """Ratings from rows (user, movie, rating)."""
    return Ratings.of(*np.array(frame, float).T)


def test_ratings_of_rare_movies_count_more_for_a_movie_without_ratings():
    # Six users love movie 10. Each has rated one more, which no other user has: three of them low. Movie 17 is unrated.
    loved = [(user, 10, 5.0) for user in range(1, 7)]
    rare = [(user, 10 + user, 2.0 if user < 4 else 5.0) for user in range(1, 7)]
    movies = Catalogue.without_titles(np.arange(10, 18))
    table = fit_biases_with_cold_start(ratings_of(loved + rare), movies)
    assert table.user_choice[0] < table.user_choice[5] - 0.2
    assert table.user_choice[-1] < np.mean([5.0] * 9 + [2.0] * 3) - table.mean


def test_an_unknown_user_is_predicted_the_mean_rating_for_an_unrated_movie():
    rows = WORLD.ratings
    table = fit_biases_with_cold_start(rows, Catalogue.without_titles(np.append(rows.movies, [3])))
    found = table.predict(np.array([9999], np.int32), np.array([3], np.int32)).ratings[0]
    assert abs(found - rows.ratings.mean()) < 0.05
    assert table.user_choice[-1] != 0


def test_a_rated_movie_is_described_as_if_it_had_no_ratings():
    genres = ["Horror"] * 6 + ["Drama"] * 6 + ["Comedy"]
    rows = [(user, movie, 1.0 if movie < 6 else 3.0 + movie % 3) for movie in range(13) for user in range(30)]
    movies = Catalogue.of(np.arange(13), ["x"] * 13, genres)
    table = fit_bias(ratings_of(rows), movies, BiasConfig())
    raters = np.append(np.full(13, 30), 0)
    described = _describe(table, movies, raters)
    for movie in (0, 7, 12):
        unrated = np.arange(14) == movie
        without = dataclasses.replace(table, movie_rated=table.movie_rated & ~unrated)
        alone = _describe(without, movies, np.where(unrated, 0, raters))
        np.testing.assert_allclose(described[movie], alone[movie], rtol=1e-5)


@pytest.mark.parametrize("side", ["movies", "users"])
@pytest.mark.parametrize("method", ["bayesian_fm", "als"])
def test_four_of_five_ratings_are_within_the_interval_of_a_cold_start(method, side):
    # With twelve ratings a user the fit misses part of the truth, which the interval must include.
    rows = make_world(users=400, movies=80, share=0.15, noise=0.6, seed=6).ratings
    movies = Catalogue.without_titles(rows.movies)
    ids, each = getattr(rows, side), np.unique(getattr(rows, side))
    held_out = np.isin(ids, np.random.default_rng(2).choice(each, len(each) // 4, replace=False))
    train, test = rows.where(~held_out), rows.where(held_out)
    table = (
        fit_bayesian_fm(train, movies, CONFIG.with_values(thinning=1), np.random.default_rng(1))
        if method == "bayesian_fm"
        else fit_als_table(train, movies, AlsConfig(factors=4), np.random.default_rng(1))
    )
    found = table.predict(test.users, test.movies)
    share = np.mean(np.abs(found.ratings - test.ratings) <= found.half_width)
    assert 0.76 <= share <= 0.84
