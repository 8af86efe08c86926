import numpy as np

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets_tests.recommender.worlds import a_world, rmse

WORLD = a_world(users=150, movies=100)
CONFIG = RecommenderConfig(factors=3, chains=2, sweeps=40, burn_in=15, rank=8)


def mean_by(ids, ratings):
    return np.bincount(ids, ratings) / np.maximum(np.bincount(ids), 1)


def test_films_held_out_whole_are_predicted_better_than_by_the_user_mean():
    rows, films = WORLD.ratings, WORLD.catalogue.movies
    held_out = np.isin(rows.movies, np.random.default_rng(1).choice(films, 20, replace=False))
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.movie_known.any()
    assert rmse(found.stars, test.ratings) < 0.95 * rmse(mean_by(train.users, train.ratings)[test.users], test.ratings)


def test_users_held_out_whole_are_predicted_no_worse_than_by_the_movie_mean():
    rows = WORLD.ratings
    held_out = rows.users % 6 == 0
    train, test = rows.where(~held_out), rows.where(held_out)
    found = fit_recommender(train, WORLD.catalogue, config=CONFIG, seed=1).predict(test.users, test.movies)
    assert not found.user_known.any()
    assert rmse(found.stars, test.ratings) < 1.005 * rmse(
        mean_by(train.movies, train.ratings)[test.movies], test.ratings
    )


def test_a_new_film_leans_on_its_genre():
    films = WORLD.catalogue
    more = Catalogue.of(
        np.append(films.movies, [3, 4]),
        [*films.titles, "Loved (2001)", "Hated (2001)"],
        [*films.genres, "Action", "Horror"],
    )
    for method in ("bayes", "als"):
        config = RecommenderConfig(method=method, factors=3, chains=2, sweeps=30, burn_in=10, als_factors=4)
        model = fit_recommender(WORLD.ratings, more, config=config, seed=1)
        everyone = np.unique(WORLD.ratings.users)
        loved, hated = (model.predict(everyone, np.full(len(everyone), film, np.int32)).stars for film in (3, 4))
        assert loved.mean() > hated.mean() + 0.4


def test_features_stand_in_for_genres():
    films = WORLD.catalogue
    one_hot = np.zeros((len(films) + 2, 10), np.float32)
    names = sorted(set(films.genres))
    for row, genre in enumerate([*films.genres, "Action", "Horror"]):
        one_hot[row, names.index(genre)] = 1.0
    unnamed = Catalogue.of(np.append(films.movies, [3, 4]), ["x"] * len(one_hot), [""] * len(one_hot), one_hot)
    model = fit_recommender(WORLD.ratings, unnamed, config=CONFIG, seed=1)
    everyone = np.unique(WORLD.ratings.users)
    loved, hated = (model.predict(everyone, np.full(len(everyone), film, np.int32)).stars for film in (3, 4))
    assert loved.mean() > hated.mean() + 0.4
