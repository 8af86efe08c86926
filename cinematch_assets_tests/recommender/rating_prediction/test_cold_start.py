import dataclasses

import numpy as np
import pytest

from cinematch_assets.recommender.config import AlsConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.rating_prediction.als_table import fit_factors
from cinematch_assets.recommender.rating_prediction.bayesian_fm import BayesPlan, fit_bayes
from cinematch_assets.recommender.rating_prediction.bias import fit_biases
from cinematch_assets.recommender.rating_prediction.cold_start import _described, lean_on_descriptions
from cinematch_assets_tests.support.worlds import make_world, rmse

WORLD = make_world(users=150, movies=100)
CONFIG = RecommenderConfig(factors=3, chains=2, sweeps=40, burn_in=15, rank=8)
PLAN = BayesPlan(factors=3, chains=2, sweeps=40, burn_in=15, thinning=1, rank=8)


def mean_by(ids, ratings):
    return np.bincount(ids, ratings) / np.maximum(np.bincount(ids), 1)


def test_films_held_out_whole_are_predicted_better_than_by_the_user_mean():
    rows, movies = WORLD.ratings, WORLD.catalogue.movies
    held_out = np.isin(rows.movies, np.random.default_rng(1).choice(movies, 20, replace=False))
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.movie_known.any()
    assert rmse(found.ratings, test.ratings) < 0.95 * rmse(
        mean_by(train.users, train.ratings)[test.users], test.ratings
    )


def test_users_held_out_whole_are_predicted_no_worse_than_by_the_movie_mean():
    rows = WORLD.ratings
    held_out = rows.users % 6 == 0
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.user_known.any()
    assert rmse(found.ratings, test.ratings) < 1.005 * rmse(
        mean_by(train.movies, train.ratings)[test.movies], test.ratings
    )


def test_a_new_film_leans_on_its_genre():
    movies = WORLD.catalogue
    more = Catalogue.of(
        np.append(movies.movies, [3, 4]),
        [*movies.titles, "Loved (2001)", "Hated (2001)"],
        [*movies.genres, "Action", "Horror"],
    )
    for method in ("bayesian_fm", "als"):
        config = RecommenderConfig(method=method, factors=3, chains=2, sweeps=30, burn_in=10, als=AlsConfig(factors=4))
        model = fit_recommender(WORLD.ratings, more, config=config, seed=1)
        everyone = np.unique(WORLD.ratings.users)
        loved, hated = (model.predict(everyone, np.full(len(everyone), movie, np.int32)).ratings for movie in (3, 4))
        assert loved.mean() > hated.mean() + 0.4


def test_features_stand_in_for_genres():
    movies = WORLD.catalogue
    one_hot = np.zeros((len(movies) + 2, 10), np.float32)
    names = sorted(set(movies.genres))
    for row, genre in enumerate([*movies.genres, "Action", "Horror"]):
        one_hot[row, names.index(genre)] = 1.0
    unnamed = Catalogue.of(np.append(movies.movies, [3, 4]), ["x"] * len(one_hot), [""] * len(one_hot), one_hot)
    model = fit_recommender(WORLD.ratings, unnamed, config=CONFIG, seed=1)
    everyone = np.unique(WORLD.ratings.users)
    loved, hated = (model.predict(everyone, np.full(len(everyone), movie, np.int32)).ratings for movie in (3, 4))
    assert loved.mean() > hated.mean() + 0.4


def described_by_biases(ratings, movies):
    """A table of biases, with rows for strangers."""
    table = fit_biases(ratings, movies, user_damping=5.0, movie_damping=5.0)
    return lean_on_descriptions(table, ratings, movies)


def one_by_one(frame):
    """Ratings from rows (user, movie, stars)."""
    users, movies, stars = np.array(frame, float).T
    return Ratings.of(users, movies, stars)


def test_what_rare_films_are_liked_counts_more_for_a_film_without_ratings():
    # Six see movie 10 and love it; what only one of them saw, he did not like. The seventh movie has no ratings.
    loved = [(user, 10, 5.0) for user in range(1, 7)]
    rare = [(user, 10 + user, 2.0 if user < 4 else 5.0) for user in range(1, 7)]
    movies = Catalogue.without_titles(np.arange(10, 18))
    table = described_by_biases(one_by_one(loved + rare), movies)
    assert table.user_choice[0] < table.user_choice[5] - 0.2
    assert table.user_choice[-1] < np.mean([5.0] * 9 + [2.0] * 3) - table.mean


def test_a_stranger_and_an_unrated_film_get_what_everyone_chooses_like():
    rows = WORLD.ratings
    table = described_by_biases(rows, Catalogue.without_titles(np.append(rows.movies, [3])))
    found = table.predict(np.array([9999], np.int32), np.array([3], np.int32)).ratings[0]
    assert abs(found - rows.ratings.mean()) < 0.05
    assert table.user_choice[-1] != 0


def test_a_rated_film_is_described_by_the_others_as_if_it_had_no_ratings():
    genres = ["Horror"] * 6 + ["Drama"] * 6 + ["Comedy"]
    rows = [(user, movie, 1.0 if movie < 6 else 3.0 + movie % 3) for movie in range(13) for user in range(30)]
    movies = Catalogue.of(np.arange(13), ["x"] * 13, genres)
    table = fit_biases(one_by_one(rows), movies, user_damping=5.0, movie_damping=5.0)
    raters = np.append(np.full(13, 30), 0)
    described = _described(table, movies, raters)
    for movie in (0, 7, 12):
        unrated = np.arange(14) == movie
        left = dataclasses.replace(table, movie_rated=table.movie_rated & ~unrated)
        alone = _described(left, movies, np.where(unrated, 0, raters))
        np.testing.assert_allclose(described[movie], alone[movie], rtol=1e-5)


@pytest.mark.parametrize("side", ["movies", "users"])
@pytest.mark.parametrize("method", ["bayesian_fm", "als"])
def test_four_of_five_ratings_of_strangers_are_within_the_interval(method, side):
    # With twelve ratings a user, what the fit has not found out of the truth must be in the interval too.
    rows = make_world(users=400, movies=80, share=0.15, noise=0.6, seed=6).ratings
    movies = Catalogue.without_titles(rows.movies)
    ids, everyone = getattr(rows, side), np.unique(getattr(rows, side))
    held_out = np.isin(ids, np.random.default_rng(2).choice(everyone, len(everyone) // 4, replace=False))
    train, test = rows.where(~held_out), rows.where(held_out)
    table = (
        fit_bayes(train, movies, PLAN, 1, lambda _: None)
        if method == "bayesian_fm"
        else fit_factors(train, movies, AlsConfig(factors=4), 1, lambda *_: None)
    )
    found = table.predict(test.users, test.movies)
    share = np.mean(np.abs(found.ratings - test.ratings) <= found.half_width)
    assert 0.76 <= share <= 0.84
