"""The record of a training, and that each part of it changes its hash."""

import json

import numpy as np

from cinematch_assets.pipeline.models.trained_from import TrainedFrom, hash_catalogue, hash_ratings, hash_settings
from cinematch_assets.recommender.data import Ratings
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes


def test_the_record_survives_json() -> None:
    record = TrainedFrom({"movies": 1, "ratings": 2}, {"ratings": 7}, ("batches/w1",), "a", "b", "c")
    assert TrainedFrom.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_each_column_of_ratings_is_in_their_hash() -> None:
    rows = make_two_tastes()
    others = [
        Ratings.of(rows.users + 1, rows.movies, rows.ratings, rows.timestamps),
        Ratings.of(rows.users, rows.movies + 1, rows.ratings, rows.timestamps),
        Ratings.of(rows.users, rows.movies, rows.ratings + 0.5, rows.timestamps),
        Ratings.of(rows.users, rows.movies, rows.ratings, rows.timestamps + 1),
    ]
    assert len({hash_ratings(each) for each in (rows, *others)}) == 5


def test_the_order_of_rows_is_not_in_their_hash() -> None:
    rows = make_two_tastes()
    back = slice(None, None, -1)
    assert hash_ratings(rows) == hash_ratings(
        Ratings.of(rows.users[back], rows.movies[back], rows.ratings[back], rows.timestamps[back])
    )


def test_titles_genres_and_features_are_in_the_hash_of_a_catalogue() -> None:
    catalogue = make_catalogue(3)
    features = np.ones((len(catalogue), 10), np.float32)
    others = [
        type(catalogue).of(catalogue.movies, ("x", *catalogue.titles[1:]), catalogue.genres, catalogue.features),
        type(catalogue).of(catalogue.movies, catalogue.titles, ("x", *catalogue.genres[1:]), catalogue.features),
        type(catalogue).of(catalogue.movies, catalogue.titles, catalogue.genres, features),
    ]
    assert len({hash_catalogue(each) for each in (catalogue, *others)}) == 4


def test_seed_and_config_are_in_the_hash_of_settings() -> None:
    assert len({hash_settings({"a": 1}, 1), hash_settings({"a": 2}, 1), hash_settings({"a": 1}, 2)}) == 3
    assert hash_settings({"a": 1, "b": 2}, 1) == hash_settings({"b": 2, "a": 1}, 1)
